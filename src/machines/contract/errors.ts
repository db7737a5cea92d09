/**
 * The program could not be put on the machine or be started there. It did not run. The message carries the machine's
 * own words.
 */
export class StagingError extends Error {
  override readonly name = "StagingError";
}

/** The program wrote something to $BOOTLEVEL_OUTPUT that is not a list of outputs. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** @param line the line of the output file, counted from 1; 0 when the whole file is meant */
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
  }
}
