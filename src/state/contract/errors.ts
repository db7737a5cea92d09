import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";

/** The recorded state cannot be used as requested. The message says why, the remedy says what to do. */
export class StateError extends BootlevelError {
  override readonly name: string = "StateError";
  static override readonly code: string = "STATE";
  constructor(message: string, remedy = "", options: { readonly cause?: unknown } = {}) {
    super(message, { ...options, remedy });
  }
}

export const isStateError = guardOf(StateError);

/** There is no run with that name or number. */
export class UnknownRunError extends StateError {
  override readonly name = "UnknownRunError";
  static override readonly code: string = "UNKNOWN_RUN";
}

export const isUnknownRunError = guardOf(UnknownRunError);

/** A run with that name exists and is not terminated. */
export class RunExistsError extends StateError {
  override readonly name = "RunExistsError";
  static override readonly code: string = "RUN_EXISTS";
}

export const isRunExistsError = guardOf(RunExistsError);

/** Another launcher works on the run. */
export class RunBusyError extends StateError {
  override readonly name: string = "RunBusyError";
  static override readonly code: string = "RUN_BUSY";
}

/** This command released the run before its work was done, because another launcher or operator requested it. */
export class StoodAsideError extends RunBusyError {
  override readonly name = "StoodAsideError";
  static override readonly code: string = "STOOD_ASIDE";
}

export const isRunBusyError = guardOf(RunBusyError);

/** Another launcher took over the lease: this one must not write any more or call a cloud. */
export class LeaseLostError extends StateError {
  override readonly name = "LeaseLostError";
  static override readonly code: string = "LEASE_LOST";
}

export const isLeaseLostError = guardOf(LeaseLostError);
