/**
 * The mirror image of bringing up: terminate programs before machines, one call a cloud, and nothing given up in
 * silence.
 */
import type { MachineStatus } from "../../drivers/contract/driver.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import type { Change } from "../../state/contract/changes.js";
import type { MachineRecord, StepRecord } from "../../state/contract/records.js";
import type { Task } from "../tasks/agenda.js";
import { destroyMachines } from "./destroyMachines.js";
import { needsTearDown } from "./needsTearDown.js";
import {
  asServiceError,
  InterruptedError,
  isInterruptedError,
  ServiceError,
  isServiceError,
  serviceError,
} from "../run/failure.js";
import {
  change,
  enterFailure,
  enterState,
  inStep,
  RECORDED,
  stateEvent,
  stepDirectory,
  stepFinished,
  warn,
  type Step,
} from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import { survey } from "../health/survey.js";
import { collectReports } from "../reports/collectReports.js";
import { describeResult, hasMachine, runServiceProgram, whyEnded } from "../programs/runServiceProgram.js";
import type { RunContext } from "../run/context.js";
import { settleAll } from "../run/settleAll.js";
import { endUnfinished } from "../programs/unfinished.js";
import { removeWorkDirectories } from "./workDirectories.js";
import type { Service } from "../run/service.js";

/** How often a cloud is asked for a machine that it may not show yet, in milliseconds. */
const LOOK_AGAIN_MS = 2_000;

/** A machine that is gone now. */
export interface EndedMachine {
  readonly service: string;
  readonly cloud: string;
  readonly id: string;
}

/** What comes of services whose machines are gone. */
type Ending = "terminated" | "removed" | "launching";

export class TakeDown {
  /** Machines that are gone now. */
  readonly terminated: EndedMachine[] = [];
  private readonly stopped = new Set<Service>();
  /** Services whose machines do not exist any more. */
  private readonly gone = new Set<Service>();

  /**
   * @param unfinished programs of which nobody has seen the end, by service number.
   * @param force leave the terminate programs out.
   * @param reports bring the reports of services home before their machines go.
   */
  constructor(
    private readonly context: RunContext,
    private readonly assignments: MachineAssignments,
    private readonly unfinished: ReadonlyMap<number, readonly StepRecord[]>,
    private readonly force: boolean,
    private readonly reports = true,
  ) {}

  /**
   * Ends services side by side. @returns the error of each that did not end, in order; it is recorded as the service's
   * failure.
   */
  async end(services: readonly Service[], ending: "terminated" | "removed"): Promise<(Error | null)[]> {
    const old = this.asDescribed(services);
    return this.destroyRest(old, await this.stop(old, () => true), ending, () => true);
  }

  /**
   * Takes machines down whose services get others. Services on such a machine stop first, without a failure of theirs
   * keeping it.
   * @returns the error of each service whose machine was kept, in order.
   */
  async retire(services: readonly Service[], taskOf: (service: Service) => Task): Promise<(Error | null)[]> {
    const answering = new Set(services.filter((service) => taskOf(service).stage === "replace"));
    const guests = this.context.levels
      .flat()
      .filter((service) => !answering.has(service) && answering.has(this.assignments.owner(service)));
    await this.stop(guests.reverse(), () => true);
    const old = this.asDescribed(services);
    const answers = (service: Service) => answering.has(services[old.indexOf(service)] as Service);
    return this.destroyRest(old, await this.stop(old, answers), "launching", answers);
  }

  /** Stops services and leaves their machines. @returns the error of each that did not stop, in order. */
  async stopOnly(services: readonly Service[]): Promise<(Error | null)[]> {
    const ends = await this.stop(this.asDescribed(services), () => true);
    const stopped = services.filter((_, place) => ends[place] === null);
    // Their terminate programs have run: a later terminate has nothing to do but destroy the machines.
    if (stopped.length > 0)
      await change(
        this.context,
        stopped.map(({ id }) => ({ kind: "unbooted", id })),
        [],
      );
    return ends;
  }

  /**
   * A plan that has changed describes the machine that is to come: one that goes is taken down as the plan of then
   * described it.
   */
  private asDescribed(services: readonly Service[]): Service[] {
    return services.map((service) => this.context.former.get(service.id) ?? service);
  }

  private async stop(services: readonly Service[], answers: (service: Service) => boolean): Promise<(Error | null)[]> {
    await this.findGone(
      services.filter(
        (service) => answers(service) && ((service.spec.terminate !== null && !this.force) || this.hasReport(service)),
      ),
    );
    return settleAll(
      services.map((service) => this.outcome(service, () => this.stopService(service, answers(service)))),
    );
  }

  private async destroyRest(
    services: readonly Service[],
    stopped: readonly (Error | null)[],
    ending: Ending,
    answers: (service: Service) => boolean,
  ): Promise<(Error | null)[]> {
    const ends = new Map(services.map((service, place) => [service, stopped[place] ?? null]));
    const going = services.filter((service) => ends.get(service) === null);
    await this.letGo(
      going.filter((service) => hasMachine(this.assignments, service)),
      answers,
    );
    const destroyed = await this.destroy(going, ending);
    going.forEach((service, place) => ends.set(service, destroyed[place] ?? null));
    return [...ends.values()];
  }

  /**
   * Notes machines on which no terminate program can run any more, gone or stopped, before it is tried: a cloud is
   * asked once. One that does not show a young machine may have lost it, or not show it yet: it is asked until that is
   * over.
   */
  private async findGone(services: readonly Service[]): Promise<void> {
    const { context, assignments } = this;
    let owners = [...new Set(services.map((service) => assignments.owner(service)))];
    while (owners.length > 0) {
      const findings = await survey(context, assignments, owners, () => "cloud");
      for (const [owner, { cause }] of findings) if (cause === "gone" || cause === "stopped") this.gone.add(owner);
      owners = owners.filter(
        (owner) =>
          findings.get(owner)?.machine === "unknown" &&
          findings.get(owner)?.cause === null &&
          typeof assignments.machine(owner)?.driverId === "string",
      );
      if (context.stop.aborted) return;
      if (owners.length > 0) await context.clock.sleep(LOOK_AGAIN_MS);
    }
  }

  private async outcome(service: Service, work: () => Promise<void>): Promise<Error | null> {
    try {
      await work();
      return null;
    } catch (error) {
      const failure = withRemedy(asServiceError(service, "terminate", error));
      if (isInterruptedError(failure)) return failure;
      if (!isServiceError(failure)) throw failure;
      await enterFailure(this.context, service, failure.failure);
      return failure;
    }
  }

  /**
   * Ends what runs of the service, and runs its terminate program if it has something to do; nothing on a machine that
   * does not answer.
   */
  private async stopService(service: Service, answers: boolean): Promise<void> {
    const { context, assignments } = this;
    if (context.stop.aborted) throw new InterruptedError();
    const before = context.records.get(service.id);
    if (before === undefined || before.state === "terminated" || this.stopped.has(service)) return;
    const program = service.spec.terminate;
    const due = needsTearDown(service, before);
    // Written with the state: whatever dies before the program has ended, the next command knows that it is still to
    // run.
    await enterState(context, service, "terminating", due ? [{ kind: "booted", id: service.id }] : []);
    if (answers) await endUnfinished(context, assignments, service, this.unfinished.get(service.id) ?? []);
    if (due && this.hasReport(service)) await this.collectReport(service, answers);
    if (!answers) return;
    if (program !== null && !this.force && due) await this.runProgram(service, program);
    this.stopped.add(service);
  }

  private hasReport(service: Service): boolean {
    return this.reports && service.spec.report !== null;
  }

  /**
   * Before the terminate program, which may remove what is to be reported. Interrupted in it, the next command begins
   * with it.
   */
  private async collectReport(service: Service, answers: boolean): Promise<void> {
    const { context, assignments, gone } = this;
    await collectReports(context, assignments, [service], {
      reachable: (one) => answers && hasMachine(assignments, one) && !gone.has(assignments.owner(one)),
    });
    if (context.stop.aborted) throw new InterruptedError();
  }

  private async runProgram(service: Service, program: ProgramSpec): Promise<void> {
    const { context, assignments } = this;
    if (!hasMachine(assignments, service) || this.gone.has(assignments.owner(service)))
      return warn(context, service, "its machine is gone or stopped: the terminate program was left out");
    await inStep(context, service, "terminate", 1, assignments.machine(service)?.key ?? null, async (step) => {
      const directory = stepDirectory(service, "terminate", step.id) as string;
      const { result, ...end } = await runServiceProgram(context, assignments, {
        service,
        step: "terminate",
        program,
        directory,
        timeoutMs: program.timeoutMs,
        attempt: 1,
        onResult: async ({ code }) => {
          if (code === 0) await this.recordStop(step);
        },
      });
      if (result.kind === "exited" && result.code === 0) return { value: undefined, outcome: RECORDED, exitCode: 0 };
      const exitCode = result.kind === "exited" ? result.code : null;
      const { machine, log, lastLines } = end;
      throw serviceError(
        service,
        "terminate",
        `the terminate program failed: ${describeResult(result, whyEnded(context, "terminate"))}; its machine was kept`,
        { exitCode, machine, log, lastLines, remedy: FORCE_REMEDY },
      );
    });
  }

  /**
   * The end of the terminate program and that there is nothing left for another one to do are one write: it runs once.
   */
  private async recordStop(step: Step): Promise<void> {
    await change(
      this.context,
      [
        { kind: "step-ended", id: step.id, outcome: "exited", exitCode: 0 },
        { kind: "unbooted", id: step.service.id },
      ],
      [stepFinished(this.context, step, "exited", 0)],
    );
  }

  /**
   * Takes away what lies on hosts that outlive the run, and closes connections: a machine goes with its owner, a
   * guest's connection is the owner's.
   */
  private async letGo(services: readonly Service[], answers: (service: Service) => boolean): Promise<void> {
    const { context, assignments } = this;
    await removeWorkDirectories(context, assignments, await this.staged(services.filter(answers)));
    await settleAll(
      services
        .filter((service) => service.spec.placement.kind === "cloud")
        .map((service) => assignments.release(service)),
    );
  }

  /** Destroys the machines of services, one call a cloud; then the services are what `ending` says. */
  private async destroy(services: readonly Service[], ending: Ending): Promise<(Error | null)[]> {
    const { context, assignments } = this;
    const machines = new Map(
      services.flatMap((service) => {
        const machine = assignments.machine(service);
        return machine === null ? [] : [[service, machine] as const];
      }),
    );
    const { errors } = await destroyMachines(context, [...machines.values()]);
    return settleAll(
      services.map((service) =>
        this.outcome(service, async () => {
          const machine = machines.get(service) ?? null;
          const error = machine === null ? undefined : errors.get(machine);
          if (error !== undefined)
            throw serviceError(
              service,
              "destroy",
              `its machine may still exist: ${error.message}`,
              { remedy: "call the command again" },
              error,
            );
          await this.enterEnd(service, machine, ending);
        }),
      ),
    );
  }

  private async enterEnd(service: Service, machine: MachineRecord | null, ending: Ending): Promise<void> {
    const { context } = this;
    const state = ending === "removed" ? "terminated" : ending;
    const changes: Change[] = [
      { kind: "service", id: service.id, state },
      { kind: "unbooted", id: service.id },
      ending === "removed" ? { kind: "removed", id: service.id } : { kind: "due", id: service.id, due: null },
    ];
    if (ending === "launching") changes.push({ kind: "described", id: service.id });
    const event = stateEvent(context, service, state);
    if (machine === null) return change(context, changes, [event]);
    const { cloud, key } = machine;
    const id = machine.driverId ?? key;
    const reason = ending === "launching" ? "replaced" : ending;
    await change(
      context,
      [{ kind: "ended", key, reason }, ...changes],
      [{ at: event.at, type: "machine-terminated", service: service.name, cloud, id }, event],
    );
    this.assignments.ended(service);
    this.terminated.push({ service: service.name, cloud, id });
  }

  /** A machine that the record does not know as a service's, and that is gone now. */
  async noteStray(cloud: string, { id, key, mark, hostname }: MachineStatus): Promise<void> {
    const service = mark?.service ?? hostname ?? id;
    const ended: Change[] = key === null ? [] : [{ kind: "ended", key, reason: "terminated" }];
    await change(this.context, ended, [
      { at: this.context.clock.now(), type: "machine-terminated", service, cloud, id },
    ]);
    this.terminated.push({ service, cloud, id });
  }

  /**
   * Services of which a program was ever put on a machine, with the folders that it lies in: those bear the names that
   * the service had.
   */
  private async staged(services: readonly Service[]): Promise<Map<Service, string[]>> {
    if (services.length === 0) return new Map();
    const folders = new Map<number, Set<string>>(services.map(({ id }) => [id, new Set<string>()]));
    for (const { serviceId, directory } of await this.context.store.steps(this.context.run)) {
      if (directory !== null) folders.get(serviceId)?.add(directory.split("/", 1)[0] as string);
    }
    // A name that another service has by now is that one's folder too.
    const own = (service: Service) =>
      [...(folders.get(service.id) ?? [])].filter(
        (folder) => folder === service.name || !this.context.byName.has(folder),
      );
    return new Map(services.map((service) => [service, own(service)] as const).filter(([, names]) => names.length > 0));
  }
}

/** A terminate program that cannot run must not keep a run for ever: the way out is named. */
function withRemedy(error: Error): Error {
  if (!isServiceError(error) || error.failure.step !== "terminate" || error.failure.remedy !== "") return error;
  return new ServiceError({ ...error.failure, remedy: FORCE_REMEDY }, { cause: error.cause });
}

const FORCE_REMEDY = "mend the program's cause and call the command again, or leave terminate programs out: --force";
