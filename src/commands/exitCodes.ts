/** What the exit code says, the same for every command. */
import { CloudUnreachableError, DriverError, LeaseLostError, RunBusyError, StateError } from "../library/index.js";

export const EXIT = { fine: 0, notFine: 1, wrong: 2, busy: 3, unreachable: 4, interrupted: 130 } as const;

/** What monitoring plugins end with: `status --nagios`, also when it ends by an error. */
export const MONITOR_EXIT = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

/** A call that cannot be understood: printed with a pointer to the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** @param options what the call could have been: its options and commands, for a suggestion */
  constructor(
    message: string,
    readonly known: readonly string[] = [],
  ) {
    super(message);
  }
}

/** The time that the caller gave is over. What was waited for still runs, and keeps the process alive. */
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

/** Whether the error is about the plan, the call or the place, and not a defect of bootlevel's. */
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

/** Classes that are not imported here, since the modules they live in are loaded only when they are used. */
const EXPECTED_NAMES = new Set(["PlanError", "StagingSourceError"]);
