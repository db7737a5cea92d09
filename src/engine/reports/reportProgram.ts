/** Runs the program of a report, which writes what it has to tell into a folder that is fetched then. */
import { isConnectionError } from "../../machines/contract/connection.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import { describeResult, runServiceProgram, whyEnded } from "../programs/runServiceProgram.js";
import { recordRefuses, isServiceError } from "../run/failure.js";
import { inStep, stepDirectory } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

export interface ReportProgramEnd {
  /** Where the step lies, below the machine's work directory; null when it never came to that. */
  readonly directory: string | null;
  /** What went wrong, or null. */
  readonly problem: string | null;
  /** The machine did not answer: to ask it for files would wait as long again. */
  readonly unreachable: boolean;
}

/**
 * Runs it as a step, with a log of its own. What it wrote until it failed is worth fetching, too. @throws StateError
 * when the record refuses more.
 */
export async function runReportProgram(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  program: ProgramSpec,
): Promise<ReportProgramEnd> {
  let directory: string | null = null;
  try {
    const result = await inStep(
      context,
      service,
      "report",
      1,
      assignments.machine(service)?.key ?? null,
      async (step) => {
        directory = stepDirectory(service, "report", step.id);
        const end = await runServiceProgram(context, assignments, {
          service,
          step: "report",
          program,
          directory: directory as string,
          timeoutMs: program.timeoutMs,
          attempt: 1,
        });
        return {
          value: end.result,
          outcome: end.result.kind,
          exitCode: end.result.kind === "exited" ? end.result.code : null,
        };
      },
    );
    const fine = result.kind === "exited" && result.code === 0;
    return {
      directory,
      unreachable: false,
      problem: fine
        ? null
        : `the report program failed: ${describeResult(result, whyEnded(context, "report"))} (its log: bootlevel logs ${context.run.name} ${service.name})`,
    };
  } catch (error) {
    if (recordRefuses(error)) throw error;
    const message = isServiceError(error)
      ? error.failure.message
      : (whyEnded(context, "report") ?? (error as Error).message);
    const unreachable = isServiceError(error) && isConnectionError(error.cause) && program.where === "machine";
    return { directory, unreachable, problem: `the report program did not run: ${message}` };
  }
}
