/** The outcome of ending one service: its error is recorded as the service's failure. */
import type { RunContext } from "../run/context.js";
import { asServiceError, isInterruptedError, isServiceError, ServiceError } from "../run/failure.js";
import { enterFailure } from "../run/journal.js";
import type { Service } from "../run/service.js";

/**
 * Does part of a service's teardown. A failure is recorded with the state "failed".
 * @returns the error (ServiceError or InterruptedError), or null on success.
 * @throws an error of the record: nothing more can be recorded.
 */
export async function outcome(context: RunContext, service: Service, work: () => Promise<void>): Promise<Error | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const failure = withRemedy(asServiceError(service, "terminate", error));
    if (isInterruptedError(failure)) return failure;
    if (!isServiceError(failure)) throw failure;
    return new ServiceError(await enterFailure(context, service, failure.failure), {
      cause: failure.cause,
      mayRun: failure.mayRun,
    });
  }
}

/** A terminate program that cannot run must not block the teardown forever: the error names the way out. */
function withRemedy(error: Error): Error {
  if (!isServiceError(error) || error.failure.step !== "terminate" || error.failure.remedy !== "") return error;
  return new ServiceError({ ...error.failure, remedy: FORCE_REMEDY }, { cause: error.cause });
}

export const FORCE_REMEDY = "fix the cause and run the command again, or skip terminate programs with --force";
