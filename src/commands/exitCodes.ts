/** Exit codes, the same for every command. */
import { BootlevelError, guardOf, isBootlevelError } from "../errors/bootlevelError.js";
import { isStorageFailure } from "../files/storageFailure.js";
import { isCloudUnreachableError, isConnectionError, isLeaseLostError, isRunBusyError } from "../library/index.js";

export const EXIT = { fine: 0, notFine: 1, wrong: 2, busy: 3, unreachable: 4, interrupted: 130 } as const;

/** Exit codes of monitoring plugins, used with `--nagios`, for errors too. */
export const MONITOR_EXIT = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

/** The command line is wrong. Printed with a pointer to the help. */
export class UsageError extends BootlevelError {
  override readonly name = "UsageError";
  static override readonly code: string = "USAGE";
  /** @param known valid names, for a suggestion */
  constructor(
    message: string,
    readonly known: readonly string[] = [],
  ) {
    super(message);
  }
}

export const isUsageError = guardOf(UsageError);

/** The time limit of the caller has passed. Pending work still runs and would keep the process alive. */
export class GaveUpError extends BootlevelError {
  override readonly name = "GaveUpError";
  static override readonly code: string = "GAVE_UP";
}

export const isGaveUpError = guardOf(GaveUpError);

/** The code of an error that nobody expected. */
export const DEFECT = "INTERNAL";

/** The kind of an error, for documents. */
export function codeOf(error: unknown): string {
  return isBootlevelError(error) ? error.code : DEFECT;
}

/** The operator stopped the command before it did anything. */
export class StoppedError extends BootlevelError {
  override readonly name = "StoppedError";
  static override readonly code: string = "INTERRUPTED";
}

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (isRunBusyError(error) || isLeaseLostError(error)) return EXIT.busy;
  if (isCloudUnreachableError(error) || isConnectionError(error)) return EXIT.unreachable;
  if (isGaveUpError(error)) return EXIT.notFine;
  if (isBootlevelError(error, StoppedError.code)) return EXIT.interrupted;
  return isExpected(error) ? EXIT.wrong : EXIT.notFine;
}

/**
 * Whether the error is about the plan, the call or the environment, rather than a bug in bootlevel. A call that the
 * system refused is about the environment, wherever it was made.
 */
export function isExpected(error: unknown): boolean {
  return isStorageFailure(error) || EXPECTED.some((code) => isBootlevelError(error, code));
}

/** Codes of errors that a user can fix, with all kinds below them. */
const EXPECTED = [
  "USAGE",
  "GAVE_UP",
  "INTERRUPTED",
  "STATE",
  "DRIVER",
  "PLAN_INVALID",
  "STAGING_SOURCE",
  "STAGING",
  "CONNECTION",
  "NATIVE_PART",
  "STORAGE",
  "ENVIRONMENT",
];
