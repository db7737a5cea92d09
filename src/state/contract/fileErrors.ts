/** Errors of a run's files. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import { StateError } from "./errors.js";

/**
 * A bundle, log or report cannot be read or written. The message names it, the remedy says what to do. The record
 * itself is intact, so the run can continue and record the failure. That is not possible after other StateErrors.
 */
export class FileError extends StateError {
  override readonly name: string = "FileError";
  static override readonly code: string = "FILE";
}

export const isFileError = guardOf(FileError);

/** The archive cannot be written: the disk is full, or the folder is not writable. */
export class ArchiveError extends FileError {
  override readonly name = "ArchiveError";
  static override readonly code: string = "ARCHIVE";
}

export const isArchiveError = guardOf(ArchiveError);

/** The next member would exceed a limit of the archive. */
export class LimitError extends BootlevelError {
  override readonly name = "LimitError";
  static override readonly code: string = "LIMIT";
  /** @param limit bytes of files, or the number or the length of all names */
  constructor(
    readonly member: string,
    readonly limit: number,
    readonly kind: "bytes" | "members" | "names" = "bytes",
  ) {
    super(
      `it would hold more than ${limit} ${kind === "bytes" ? "bytes" : kind === "members" ? "files" : "bytes of names"}`,
    );
  }
}

export const isLimitError = guardOf(LimitError);
