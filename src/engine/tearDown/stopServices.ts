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
import { endUnfinished } from "../programs/unfinished.js";
import { collectReports } from "../reports/collectReports.js";
import type { RunContext } from "../run/context.js";
import { InterruptedError, serviceError } from "../run/failure.js";
import { change, enterState, inStep, RECORDED, stepDirectory, stepFinished, warn, type Step } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { Service } from "../run/service.js";
import { settleAll } from "../run/settleAll.js";
import { needsTearDown } from "./needsTearDown.js";
import { FORCE_REMEDY, outcome } from "./serviceOutcome.js";

/** Poll interval for a machine that the cloud may not list yet, in milliseconds. */
const LOOK_AGAIN_MS = 2_000;

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
    private readonly reports: boolean,
  ) {}

  /**
   * Stops services in parallel.
   * @param answers whether a service's machine can be expected to answer; if not, no program runs on it.
   * @returns the error of each service that did not stop, in order.
   */
  async stop(services: readonly Service[], answers: (service: Service) => boolean): Promise<(Error | null)[]> {
    await this.findGone(
      services.filter(
        (service) => answers(service) && ((service.spec.terminate !== null && !this.force) || this.hasReport(service)),
      ),
    );
    return settleAll(
      services.map((service) => outcome(this.context, service, () => this.stopService(service, answers(service)))),
    );
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
  private async stopService(service: Service, answers: boolean): Promise<void> {
    const { context, assignments } = this;
    if (context.stop.aborted) throw new InterruptedError();
    const before = context.records.get(service.id);
    if (before === undefined || before.state === "terminated" || this.stopped.has(service)) return;
    const program = service.spec.terminate;
    const due = needsTearDown(service, before);
    // In the same write as the state: if the launcher dies now, the next command knows that the program must still run.
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
   * Runs before the terminate program, which may remove the files to report. If it is interrupted, the next command
   * starts with it.
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
      return warn(context, service, "its machine is gone or stopped: the terminate program was skipped");
    await inStep(context, service, "terminate", 1, assignments.machine(service)?.key ?? null, async (step) => {
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
