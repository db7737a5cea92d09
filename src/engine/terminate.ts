/** The mirror image of boot: from the last level to the first, terminate programs before machines, and nothing given up in silence. */
import { CloudUnreachableError, type MachineStatus } from "../drivers/driver.js";
import type { RunEvent, RunState, ServiceFailure } from "../events.js";
import type { MachineRecord, RunRecord, ServiceRecord } from "../state/records.js";
import type { Store } from "../state/store.js";
import { asServiceError, InterruptedError, ServiceError, serviceError } from "./failure.js";
import { enterFailure, enterRunState, enterState, inStep, record, stepDirectory, warn, writerOf } from "./journal.js";
import { underLease } from "./lease.js";
import { Placements } from "./placements.js";
import { describeResult, hasMachine, runServiceProgram } from "./programs.js";
import { closeContext, levelNames, openContext, type RunContext, type Service } from "./runContext.js";
import { settleAll } from "./settleAll.js";
import { endUnfinished, unfinishedPrograms, type Unfinished } from "./unfinished.js";
import { removeWorkDirectories } from "./workDirectories.js";

export interface TerminateOptions {
  /** Leave the terminate programs out. */
  readonly force: boolean;
  readonly observe: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

export interface TerminateResult {
  readonly run: string;
  readonly state: RunState;
  /** Machines that are gone now. */
  readonly terminated: readonly { readonly service: string; readonly cloud: string; readonly id: string }[];
  readonly failures: readonly ServiceFailure[];
  readonly cloudUnreachable: boolean;
  readonly ms: number;
}

/** How long processes that programs left on the launcher have between SIGTERM and SIGKILL, in milliseconds. */
const GRACE_MS = 5_000;

/**
 * Takes a run down. A level whose services do not all end keeps the levels below it. Safe to repeat.
 * @throws RunBusyError when another launcher works on the run.
 */
export async function terminateRun(store: Store, run: RunRecord, options: TerminateOptions): Promise<TerminateResult> {
  if (run.state === "terminated") return { run: run.name, state: "terminated", terminated: [], failures: [], cloudUnreachable: false, ms: 0 };
  const writer = await store.takeRun(run, "terminate");
  return underLease(writer, options.signal, async (stop) => {
    const context = await openContext({ run, plan: await store.plan(run), store, writer, stop, observe: options.observe, secrets: options.force ? "optional" : "needed" });
    try {
      const records = new Map((await store.services(run)).map((service) => [service.name, service]));
      return await new Termination(context, await Placements.read(context), records, unfinishedPrograms(await store.steps(run)), options.force).run();
    } finally {
      await closeContext(context);
    }
  });
}

class Termination {
  private readonly terminated: { service: string; cloud: string; id: string }[] = [];
  private readonly startedAt = Date.now();

  constructor(
    private readonly context: RunContext,
    private readonly placements: Placements,
    private readonly records: ReadonlyMap<string, ServiceRecord>,
    /** Programs of which nobody has seen the end, by service number. */
    private readonly unfinished: ReadonlyMap<number, readonly Unfinished[]>,
    private readonly force: boolean,
  ) {}

  async run(): Promise<TerminateResult> {
    const { context } = this;
    const levels = levelNames(context);
    await writerOf(context).setRunState("terminating");
    await record(context, { at: this.startedAt, type: "run-started", run: context.run.name, plan: context.plan.name, verb: "terminate", levels });
    const errors: Error[] = [];
    for (let index = levels.length - 1; index >= 0 && errors.length === 0 && !context.stop.aborted; index -= 1) {
      errors.push(...(await this.level(index, context.levels[index] ?? [])));
    }
    if (errors.length === 0 && !context.stop.aborted) errors.push(...(await this.leftovers()));
    const whole = errors.length === 0 && !context.stop.aborted;
    const state: RunState = whole ? "terminated" : context.stop.aborted ? "interrupted" : "failed";
    await enterRunState(context, state, this.startedAt);
    const failures = errors.filter((error) => error instanceof ServiceError);
    return {
      run: context.run.name, state, terminated: this.terminated, failures: failures.map((error) => error.failure),
      cloudUnreachable: errors.some((error) => error instanceof CloudUnreachableError || (error instanceof ServiceError && error.cloudUnreachable)), ms: Date.now() - this.startedAt,
    };
  }

  private async level(index: number, services: readonly Service[]): Promise<Error[]> {
    const { context } = this;
    const startedAt = Date.now();
    const level = context.plan.levels[index]?.name ?? "";
    await record(context, { at: startedAt, type: "level-started", level, index });
    const programs = await settleAll(services.map((service) => this.outcome(service, () => this.runProgram(service))));
    const ended = services.filter((_, place) => programs[place] === null);
    const machines = await this.destroy(ended);
    const errors = [...programs, ...machines].filter((error) => error !== null);
    const at = Date.now();
    await record(context, { at, type: "level-finished", level, index, ms: at - startedAt, failed: errors.length });
    return errors;
  }

  private async outcome(service: Service, work: () => Promise<void>): Promise<Error | null> {
    try {
      await work();
      return null;
    } catch (error) {
      const failure = withRemedy(asServiceError(service, "terminate", error));
      if (failure instanceof InterruptedError) return failure;
      if (!(failure instanceof ServiceError)) throw failure;
      await enterFailure(this.context, service, failure.failure);
      return failure;
    }
  }

  /** Runs the terminate program, if there is one and it has something to do. */
  private async runProgram(service: Service): Promise<void> {
    const { context, placements } = this;
    if (context.stop.aborted) throw new InterruptedError();
    const before = this.records.get(service.name);
    if (before === undefined || before.state === "terminated") return;
    await enterState(context, service, "terminating");
    await endUnfinished(context, placements, service, this.unfinished.get(service.id) ?? []);
    const program = service.spec.terminate;
    const due = before.booted || (service.spec.boot === null && before.state !== "planned");
    if (program === null || this.force || !due) return;
    if (!hasMachine(placements, service) || (await this.isGone(service))) return warn(context, service, "its machine is gone: the terminate program was left out");
    await inStep(context, service, "terminate", 1, async (stepId) => {
      const directory = stepDirectory(service, "terminate", stepId) as string;
      const { result, ...end } = await runServiceProgram(context, placements, { service, step: "terminate", program, directory, timeoutMs: program.timeoutMs, attempt: 1 });
      if (result.kind === "exited" && result.code === 0) return { value: undefined, outcome: "exited", exitCode: 0 };
      const exitCode = result.kind === "exited" ? result.code : null;
      const { machine, log, lastLines } = end;
      throw serviceError(service, "terminate", `the terminate program failed: ${describeResult(result)}; its machine was kept`, { exitCode, machine, log, lastLines, remedy: FORCE_REMEDY });
    });
  }

  private async isGone(service: Service): Promise<boolean> {
    const machine = this.placements.machine(service);
    if (machine === null || machine.driverId === null) return false;
    const [status] = await (await this.context.clouds.driver(machine.cloud)).describe([machine.driverId], this.context.stop);
    return status?.state === "terminated";
  }

  /** Destroys the machines of services, one call a cloud; then the services are terminated. */
  private async destroy(services: readonly Service[]): Promise<(Error | null)[]> {
    await removeWorkDirectories(this.context, this.placements, await this.staged(services));
    await settleAll(services.filter((service) => hasMachine(this.placements, service)).map((service) => this.release(service)));
    const withMachine = services.filter((service) => this.placements.machine(service) !== null);
    const clouds = new Set(withMachine.map((service) => (this.placements.machine(service) as MachineRecord).cloud));
    const ends = new Map<Service, Error | null>();
    await settleAll([...clouds].map(async (cloud) => {
      const group = withMachine.filter((service) => this.placements.machine(service)?.cloud === cloud);
      const outcomes = await this.destroyIn(cloud, group.map((service) => this.placements.machine(service) as MachineRecord));
      group.forEach((service, place) => ends.set(service, outcomes[place] ?? null));
    }));
    return settleAll(services.map((service) => this.outcome(service, async () => {
      const error = ends.get(service);
      if (error) throw serviceError(service, "destroy", `its machine may still exist: ${error.message}`, { remedy: "call terminate again" }, error);
      const machine = this.placements.machine(service);
      if (machine) await this.ended(service.name, machine.cloud, machine.driverId ?? machine.key, machine.key);
      await enterState(this.context, service, "terminated");
    })));
  }

  /** The machine goes with its owner; a guest's connection is the owner's. */
  private async release(service: Service): Promise<void> {
    if (service.spec.placement.kind === "cloud") await this.placements.release(service);
  }

  /** Services of which a program was ever put on a machine. */
  private async staged(services: readonly Service[]): Promise<Service[]> {
    const run = await this.context.store.findRun(String(this.context.run.id));
    const ids = new Set((await this.context.store.steps(run)).flatMap((step) => (step.directory === null ? [] : [step.serviceId])));
    return services.filter((service) => ids.has(service.id));
  }

  /** The error of each machine that could not be destroyed, in order. */
  private async destroyIn(cloud: string, machines: readonly MachineRecord[]): Promise<(Error | null)[]> {
    try {
      const driver = await this.context.clouds.driver(cloud);
      const listed = machines.some((machine) => machine.driverId === null) ? await driver.list(this.context.run.uid, this.context.stop) : [];
      const ids = machines.map((machine) => machine.driverId ?? findByKey(listed, machine.key));
      const outcomes = await driver.terminate(ids.filter((id) => id !== null), this.context.stop);
      const failed = new Map(outcomes.flatMap((outcome) => (outcome.kind === "failed" ? [[outcome.id, outcome.error] as const] : [])));
      return ids.map((id) => (id === null ? null : (failed.get(id) ?? null)));
    } catch (error) {
      return machines.map(() => error as Error);
    }
  }

  /** Machines that carry the run's mark and that the record does not know as running; and what programs left on the launcher. */
  private async leftovers(): Promise<Error[]> {
    const { context } = this;
    await context.links.clearLauncher(GRACE_MS);
    const used = new Set(context.levels.flat().flatMap(({ spec }) => (spec.placement.kind === "cloud" ? [spec.placement.cloud] : [])));
    const errors: Error[] = [];
    for (const cloud of used) {
      try {
        const driver = await context.clouds.driver(cloud);
        const left = (await driver.list(context.run.uid, context.stop)).filter((machine) => machine.state !== "terminated");
        for (const outcome of await driver.terminate(left.map((machine) => machine.id), context.stop)) {
          if (outcome.kind === "failed") throw outcome.error;
        }
        for (const machine of left) await this.ended(machine.hostname ?? machine.id, cloud, machine.id, machine.key);
      } catch (error) {
        await warn(context, null, `cloud "${cloud}" may still have machines of this run: ${(error as Error).message}`);
        errors.push(error as Error);
      }
    }
    return errors;
  }

  private async ended(service: string, cloud: string, id: string, key: string | null): Promise<void> {
    if (key !== null) await writerOf(this.context).machineEnded(key, "terminated");
    await record(this.context, { at: Date.now(), type: "machine-terminated", service, cloud, id });
    this.terminated.push({ service, cloud, id });
  }
}

/** A terminate program that cannot run must not keep a run for ever: the way out is named. */
function withRemedy(error: Error): Error {
  if (!(error instanceof ServiceError) || error.failure.step !== "terminate" || error.failure.remedy !== "") return error;
  return new ServiceError({ ...error.failure, remedy: FORCE_REMEDY }, { cause: error.cause });
}

const FORCE_REMEDY = "mend the program's cause and call terminate again, or leave terminate programs out: terminate --force";

function findByKey(machines: readonly MachineStatus[], key: string): string | null {
  return machines.find((machine) => machine.key === key)?.id ?? null;
}
