/** Errors of what a run keeps as files. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import { StateError } from "./errors.js";

/**
 * A bundle, a log or a report cannot be read or written: the message names it, the remedy says what helps. The record
 * itself is well, so a run can go on and note the failure, which it cannot after other StateErrors.
 */
export class FileError extends StateError {
  override readonly name: string = "FileError";
  static override readonly code: string = "FILE";
}

export const isFileError = guardOf(FileError);

/** The archive that is being written cannot be: the disk is full, the folder is closed. */
export class ArchiveError extends FileError {
  override readonly name = "ArchiveError";
  static override readonly code: string = "ARCHIVE";
}

export const isArchiveError = guardOf(ArchiveError);

/** The next file would make the archive larger than it may be. */
export class LimitError extends BootlevelError {
  override readonly name = "LimitError";
  static override readonly code: string = "LIMIT";
  constructor(
    readonly member: string,
    readonly limitBytes: number,
  ) {
    super(`it would hold more than ${limitBytes} bytes`);
  }
}

export const isLimitError = guardOf(LimitError);
