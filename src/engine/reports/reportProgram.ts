/** Runs a report program, which writes files into a folder that is fetched afterwards. */
import { isConnectionError } from "../../machines/contract/connection.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import { describeResult, programWords, runServiceProgram, whyEnded } from "../programs/runServiceProgram.js";
import { recordRefuses, isServiceError } from "../run/failure.js";
import { inStep, stepDirectory } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

export interface ReportProgramEnd {
  /** The step's directory, below the machine's work directory; null if it was not created. */
  readonly directory: string | null;
  /** The problem, or null. */
  readonly problem: string | null;
  /** The machine did not answer, so fetching files would only wait as long again. */
  readonly unreachable: boolean;
}

/**
 * Runs the program as a step with its own log. If it fails, its files are still worth fetching.
 * @throws StateError when the record accepts no writes.
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
        : `the ${programWords("report", program)} failed: ${describeResult(result, whyEnded(context, "report"))} (its log: bootlevel logs ${context.run.name} ${service.name})`,
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
