/** Errors of what a run keeps as files. */
import { StateError } from "./errors.js";

/**
 * A bundle, a log or a report cannot be read or written: the message names it, the remedy says what helps. The record
 * itself is well, so a run can go on and note the failure, which it cannot after other StateErrors.
 */
export class FileError extends StateError {
  override readonly name: string = "FileError";
}

/** The archive that is being written cannot be: the disk is full, the folder is closed. */
export class ArchiveError extends FileError {
  override readonly name = "ArchiveError";
}

/** The next file would make the archive larger than it may be. */
export class LimitError extends Error {
  override readonly name = "LimitError";
  constructor(
    readonly member: string,
    readonly limitBytes: number,
  ) {
    super(`it would hold more than ${limitBytes} bytes`);
  }
}
