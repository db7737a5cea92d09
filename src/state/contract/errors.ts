import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";

/** The recorded state cannot be used as asked: says what and what helps. */
export class StateError extends BootlevelError {
  override readonly name: string = "StateError";
  static override readonly code: string = "STATE";
  constructor(message: string, remedy = "", options: { readonly cause?: unknown } = {}) {
    super(message, { ...options, remedy });
  }
}

export const isStateError = guardOf(StateError);

/** No run bears that name or number. */
export class UnknownRunError extends StateError {
  override readonly name = "UnknownRunError";
  static override readonly code: string = "UNKNOWN_RUN";
}

export const isUnknownRunError = guardOf(UnknownRunError);

/** A run of that name is there already and is not terminated. */
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

/** This command let the run go before its work was done: somebody else had asked for it. */
export class StoodAsideError extends RunBusyError {
  override readonly name = "StoodAsideError";
  static override readonly code: string = "STOOD_ASIDE";
}

export const isRunBusyError = guardOf(RunBusyError);

/** This launcher's lease was taken over: it must write nothing more and call no cloud. */
export class LeaseLostError extends StateError {
  override readonly name = "LeaseLostError";
  static override readonly code: string = "LEASE_LOST";
}

export const isLeaseLostError = guardOf(LeaseLostError);
