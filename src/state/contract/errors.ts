/** The recorded state cannot be used as asked: says what and what helps. */
export class StateError extends Error {
  override readonly name: string = "StateError";
  constructor(
    message: string,
    readonly remedy = "",
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** No run bears that name or number. */
export class UnknownRunError extends StateError {
  override readonly name = "UnknownRunError";
}

/** A run of that name is there already and is not terminated. */
export class RunExistsError extends StateError {
  override readonly name = "RunExistsError";
}

/** Another launcher works on the run. */
export class RunBusyError extends StateError {
  override readonly name: string = "RunBusyError";
}

/** This command let the run go before its work was done: somebody else had asked for it. */
export class StoodAsideError extends RunBusyError {
  override readonly name = "StoodAsideError";
}

/** This launcher's lease was taken over: it must write nothing more and call no cloud. */
export class LeaseLostError extends StateError {
  override readonly name = "LeaseLostError";
}
