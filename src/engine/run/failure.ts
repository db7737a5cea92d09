/** Errors of services, with everything to show for them. They are created where the failure is known. */
import { BootlevelError, guardOf, isBootlevelError } from "../../errors/bootlevelError.js";
import type { Clock } from "../../time/clock.js";
import { isCloudUnreachableError } from "../../drivers/contract/driver.js";
import type { ServiceFailure, StepName } from "../../model/events.js";
import { StateError, isStateError } from "../../state/contract/errors.js";
import { isFileError } from "../../state/contract/fileErrors.js";
import { onAbort } from "./onAbort.js";
import type { Service } from "./service.js";

/** A service failed at a step. */
export class ServiceError extends BootlevelError {
  override readonly name = "ServiceError";
  static override readonly code: string = "SERVICE_FAILED";
  /** The program may still run: its step has not ended, and the next command checks it. */
  readonly mayRun: boolean;
  constructor(
    readonly failure: ServiceFailure,
    options: { cause?: unknown; mayRun?: boolean } = {},
  ) {
    super(`${failure.service}: ${failure.message}`, { cause: options.cause });
    this.mayRun = options.mayRun ?? false;
  }

  /** Whether the service failed because its cloud was unreachable. */
  get cloudUnreachable(): boolean {
    return isCloudUnreachableError(this.cause);
  }
}

export const isServiceError = guardOf(ServiceError);

/** The operator stops the command, or the run is aborted: the service stays in its current state. */
export class InterruptedError extends BootlevelError {
  override readonly name = "InterruptedError";
  static override readonly code: string = "INTERRUPTED";
  /** @param mayRun a program may still run: its step has not ended, and the next command checks it */
  constructor(
    readonly mayRun = false,
    message = "interrupted",
  ) {
    super(message);
  }
}

export const isInterruptedError = guardOf(InterruptedError);

/** Waits `ms` milliseconds. @throws InterruptedError when `stop` aborts. */
export async function pause(clock: Clock, ms: number, stop: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, stop);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw new InterruptedError();
    throw error;
  }
}

/**
 * Waits for work until it ends or `signal` aborts. Aborted work continues in the background until the command ends.
 * @throws InterruptedError when `signal` aborts first.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let forget = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => {
      reject(new InterruptedError());
    });
  });
  return Promise.race([work, aborted]).finally(forget);
}

export type FailureDetails = Partial<Pick<ServiceFailure, "exitCode" | "machine" | "lastLines" | "log" | "remedy">>;

/** Creates the error of a service at a step. `message` is one sentence; unknown details are left out. */
export function serviceError(
  service: Service,
  step: StepName,
  message: string,
  details: FailureDetails = {},
  cause?: unknown,
  mayRun = false,
): ServiceError {
  const failure: ServiceFailure = {
    service: service.name,
    level: service.level.name,
    step,
    message,
    exitCode: null,
    machine: null,
    lastLines: [],
    log: null,
    remedy: "",
    cause: null,
    ...details,
  };
  return new ServiceError(failure, { cause, mayRun });
}

/** How many services failed, and how many were interrupted, for the event of a level's end. */
export function countErrors(errors: readonly Error[]): { readonly failed: number; readonly interrupted?: number } {
  const failed = errors.filter((error) => isServiceError(error)).length;
  const interrupted = errors.filter((error) => isInterruptedError(error)).length;
  return interrupted === 0 ? { failed } : { failed, interrupted };
}

/**
 * Whether the error means that the record accepts no more writes: the database is unusable, or another launcher has the
 * run.
 */
export function recordRefuses(error: unknown): error is StateError {
  return isStateError(error) && !isFileError(error);
}

/**
 * Converts any error of a step to the service's failure. Interruptions and errors of the record are returned unchanged.
 */
export function asServiceError(service: Service, step: StepName, error: unknown, details: FailureDetails = {}): Error {
  if (isServiceError(error) || isInterruptedError(error) || recordRefuses(error)) return error;
  const remedy = isBootlevelError(error) ? error.remedy : "";
  return serviceError(service, step, (error as Error).message, remedy === "" ? details : { ...details, remedy }, error);
}
