import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";

/**
 * The program could not be put on the machine or be started there. It did not run. The message carries the machine's
 * own words.
 */
export class StagingError extends BootlevelError {
  override readonly name: string = "StagingError";
  static override readonly code: string = "STAGING";
}

export const isStagingError = guardOf(StagingError);

/** Another installation uses the host. Nothing was run there. */
export class HostTakenError extends StagingError {
  static override readonly code: string = "HOST_TAKEN";
}

export const isHostTakenError = guardOf(HostTakenError);

/** The program wrote something to $BOOTLEVEL_OUTPUT that is not a list of outputs. */
export class OutputError extends BootlevelError {
  override readonly name = "OutputError";
  static override readonly code: string = "OUTPUT";
  /** @param line the line of the output file, counted from 1; 0 when the whole file is meant */
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
  }
}

export const isOutputError = guardOf(OutputError);
