/** Stops services before their machines go: ends running programs, collects reports, runs terminate programs. */
import { isHostTakenError } from "../../machines/contract/errors.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import type { StepRecord } from "../../state/contract/records.js";
import { survey } from "../health/survey.js";
import {
  describeResult,
  hasMachine,
  programWords,
  runServiceProgram,
  whyEnded,
} from "../programs/runServiceProgram.js";
import { begunProgram, endUnfinished } from "../programs/unfinished.js";
import { collectReports } from "../reports/collectReports.js";
import type { RunContext } from "../run/context.js";
import {
  InterruptedError,
  isInterruptedError,
  serviceError,
  unlessAborted,
  type ServiceError,
} from "../run/failure.js";
import { change, enterState, inStep, RECORDED, stepDirectory, stepFinished, warn, type Step } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { Service } from "../run/service.js";
import { settleAll } from "../run/settleAll.js";
import { needsTearDown } from "./needsTearDown.js";
import { FORCE_REMEDY, outcome } from "./serviceOutcome.js";

/** What is known of the reports of services before they stop. */
export interface ReportChoice {
  /** Collect the reports of services before their terminate programs run. */
  readonly collect: boolean;
  /** Services whose reports were collected already and are not home, and why. Their machines stay. */
  readonly notHome: ReadonlyMap<string, string>;
  /** Whether machines whose reports are not home are destroyed, too. */
  readonly giveUp: boolean;
  /** The operator's limit of a report in bytes, or null. */
  readonly limitBytes: number | null;
}

/** Poll interval for a machine that the cloud may not list yet, in milliseconds. */
const LOOK_AGAIN_MS = 2_000;

/** A service that is being stopped. */
export interface Stopping {
  readonly service: Service;
  /** Resolves when its machine was reached, or did not have to be, or did not answer in its time. */
  readonly isReached: Promise<void>;
  /** Resolves with the error of a service that did not stop, or null. */
  readonly ended: Promise<Error | null>;
}

interface StopOptions {
  readonly answers: boolean;
  readonly dies: boolean;
  readonly reached: () => void;
}

export class ServiceStops {
  private readonly stopped = new Set<Service>();
  /** Owners of machines that are gone or stopped. */
  private readonly gone = new Set<Service>();

  /** @param unfinished programs whose end is unknown, by service number. */
  constructor(
    private readonly context: RunContext,
    private readonly assignments: MachineAssignments,
    private readonly unfinished: ReadonlyMap<number, readonly StepRecord[]>,
    private readonly force: boolean,
    private readonly reports: ReportChoice,
  ) {}

  /**
   * Stops services in parallel.
   * @param answers whether a service's machine can be expected to answer; if not, no program runs on it.
   * @returns the error of each service that did not stop, in order.
   */
  async stop(services: readonly Service[], answers: (service: Service) => boolean): Promise<(Error | null)[]> {
    return settleAll((await this.begin(services, answers, () => false)).map(({ ended }) => ended));
  }

  /**
   * Begins to stop services in parallel.
   * @param answers as for `stop`.
   * @param dies whether a service's machine is destroyed next: what runs there ends with it, so it is not connected to
   *   for that alone.
   */
  async begin(
    services: readonly Service[],
    answers: (service: Service) => boolean,
    dies: (service: Service) => boolean,
  ): Promise<Stopping[]> {
    await this.findGone(
      services.filter(
        (service) =>
          answers(service) &&
          ((service.spec.terminate !== null && !this.force) ||
            this.hasReport(service) ||
            this.reports.notHome.has(service.name)),
      ),
    );
    return services.map((service) => this.stopping(service, answers(service), dies(service)));
  }

  private stopping(service: Service, answers: boolean, dies: boolean): Stopping {
    const { context } = this;
    let reached = (): void => undefined;
    const isReached = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const ended = outcome(context, service, () =>
      context.links.impatiently(() => this.stopService(service, { answers, dies, reached })),
    ).finally(reached);
    // Whoever waits for it gets the error; until then nobody may.
    ended.catch(() => undefined);
    return { service, isReached, ended };
  }

  /**
   * Finds machines that are gone or stopped, so that no terminate program is tried there. Each cloud gets one request.
   * A cloud that does not list a young machine may not show it yet: it is polled until its visibility delay has passed.
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

  /**
   * Ends the service's running programs, then runs its terminate program if there is something to clean up. Runs
   * nothing on a machine that does not answer.
   */
  private async stopService(service: Service, { answers, dies, reached }: StopOptions): Promise<void> {
    const { context } = this;
    if (context.stop.aborted) throw new InterruptedError();
    const before = context.records.get(service.id);
    if (before === undefined || before.state === "terminated" || this.stopped.has(service)) return;
    const due = needsTearDown(before);
    const program = due && !this.force ? service.spec.terminate : null;
    const reports = due && this.hasReport(service);
    // In the same write as the state: if the launcher dies now, the next command knows that the program must still run.
    await enterState(context, service, "terminating", due ? [{ kind: "booted", id: service.id }] : []);
    const steps = this.programsToEnd(service, dies && program === null && !reports);
    const silent = answers ? await this.reach(service, [program, ...steps.map(([, begun]) => begun)]) : null;
    reached();
    if (answers) await this.endPrograms(service, steps, silent);
    if (reports) await this.collectReport(service, answers, silent);
    const why = this.reports.notHome.get(service.name);
    if (why !== undefined && answers && !this.reports.giveUp && !this.gone.has(this.assignments.owner(service)))
      throw notHome(service, why);
    if (!answers) return;
    if (program !== null) await this.runProgram(service, program, silent);
    this.stopped.add(service);
  }

  /** @param spared whether programs on the machine are left to end with it. */
  private programsToEnd(service: Service, spared: boolean): [StepRecord, ProgramSpec | null][] {
    const steps = this.unfinished.get(service.id) ?? [];
    return steps
      .map((step): [StepRecord, ProgramSpec | null] => [step, begunProgram(service, step)])
      .filter(([, program]) => !spared || program?.where === "launcher");
  }

  /**
   * Connects to the service's machine, once for all that runs there.
   * @returns why it does not answer; null if it does, or if none of the programs runs there.
   */
  private async reach(service: Service, programs: readonly (ProgramSpec | null)[]): Promise<Error | null> {
    const { context, assignments } = this;
    const program = programs.find((one) => one?.where === "machine") ?? null;
    if (program === null || !hasMachine(assignments, service) || this.gone.has(assignments.owner(service))) return null;
    try {
      const over = context.cleanupExpired;
      const reached = assignments.runner(service, program).reach();
      await unlessAborted(context.stop, over === null ? reached : unlessAborted(over, reached));
      return null;
    } catch (error) {
      if (context.stop.aborted && isInterruptedError(error)) throw error;
      return isInterruptedError(error) ? (context.cleanupExpired?.reason as Error) : (error as Error);
    }
  }

  private async endPrograms(
    service: Service,
    steps: readonly [StepRecord, ProgramSpec | null][],
    silent: Error | null,
  ): Promise<void> {
    const possible = silent === null ? steps : steps.filter(([, program]) => program?.where === "launcher");
    if (silent !== null && possible.length < steps.length)
      await warn(
        this.context,
        service,
        `programs from an earlier launcher may still run on its machine: ${silent.message}`,
      );
    await endUnfinished(
      this.context,
      this.assignments,
      service,
      possible.map(([step]) => step),
    );
  }

  private hasReport(service: Service): boolean {
    return this.reports.collect && service.spec.report !== null;
  }

  /**
   * Runs before the terminate program, which may remove the files to report. If it is interrupted, the next command
   * starts with it. A machine whose files are not all home stays, unless `giveUp` is set.
   */
  private async collectReport(service: Service, answers: boolean, silent: Error | null): Promise<void> {
    const { context, assignments, gone } = this;
    const [outcome] = await collectReports(context, assignments, [service], {
      limitBytes: this.reports.limitBytes,
      silent,
      reachable: (one) =>
        answers && silent === null && hasMachine(assignments, one) && !gone.has(assignments.owner(one)),
    });
    if (context.stop.aborted) throw new InterruptedError();
    if (outcome?.home === false && answers && !this.reports.giveUp) throw notHome(service, outcome.warnings[0] ?? "");
  }

  /** @param silent why the machine does not answer, or null. */
  private async runProgram(service: Service, program: ProgramSpec, silent: Error | null): Promise<void> {
    const { context, assignments } = this;
    if (!hasMachine(assignments, service) || this.gone.has(assignments.owner(service)))
      return warn(context, service, "its machine is gone or stopped: the terminate program was skipped");
    await inStep(context, service, "terminate", 1, assignments.machine(service)?.key ?? null, async (step) => {
      if (silent !== null && program.where === "machine") throw silent;
      const directory = stepDirectory(service, "terminate", step.id) as string;
      const running = runServiceProgram(context, assignments, {
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
      const ended = await running.catch(async (error: unknown) => {
        // What runs on that host is another installation's.
        if (!isHostTakenError(error)) throw error;
        await warn(context, service, `the terminate program was skipped: ${error.message}`);
        await this.recordStop(step);
      });
      if (ended === undefined) return { value: undefined, outcome: RECORDED, exitCode: 0 };
      const { result, ...end } = ended;
      if (result.kind === "exited" && result.code === 0) return { value: undefined, outcome: RECORDED, exitCode: 0 };
      const exitCode = result.kind === "exited" ? result.code : null;
      const { machine, log, lastLines } = end;
      throw serviceError(
        service,
        "terminate",
        `the ${programWords("terminate", program)} failed: ${describeResult(result, whyEnded(context, "terminate"))}; its machine was kept`,
        { exitCode, machine, log, lastLines, remedy: FORCE_REMEDY },
      );
    });
  }

  /**
   * Records the end of the terminate program and that nothing is left to clean up in one write, so that it runs once.
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
}

function notHome(service: Service, why: string): ServiceError {
  return serviceError(service, "report", `its report is not home, so its machine was kept: ${why}`, {
    remedy:
      "fix the cause and run the command again, or give up what is missing with --force (terminate also takes --no-reports)",
  });
}
