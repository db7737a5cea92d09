/** Exit codes, the same for every command. */
import { CloudUnreachableError, DriverError, LeaseLostError, RunBusyError, StateError } from "../library/index.js";

export const EXIT = { fine: 0, notFine: 1, wrong: 2, busy: 3, unreachable: 4, interrupted: 130 } as const;

/** Exit codes of monitoring plugins, used with `--nagios`, for errors too. */
export const MONITOR_EXIT = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

/** The command line is wrong. Printed with a pointer to the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** @param known valid names, for a suggestion */
  constructor(
    message: string,
    readonly known: readonly string[] = [],
  ) {
    super(message);
  }
}

/** The time limit of the caller has passed. Pending work still runs and would keep the process alive. */
export class GaveUpError extends Error {
  override readonly name = "GaveUpError";
}

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof RunBusyError || error instanceof LeaseLostError) return EXIT.busy;
  if (error instanceof CloudUnreachableError) return EXIT.unreachable;
  if (error instanceof GaveUpError) return EXIT.notFine;
  return isExpected(error) ? EXIT.wrong : EXIT.notFine;
}

/** Whether the error is about the plan, the call or the environment, rather than a bug in bootlevel. */
export function isExpected(error: unknown): boolean {
  if (
    error instanceof UsageError ||
    error instanceof GaveUpError ||
    error instanceof StateError ||
    error instanceof DriverError
  )
    return true;
  return error instanceof Error && EXPECTED_NAMES.has(error.name);
}

/** Error classes recognised by name, because their modules are loaded on demand. */
const EXPECTED_NAMES = new Set(["PlanError", "StagingSourceError"]);
