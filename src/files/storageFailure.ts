/** Failed calls of the file system, in the same words everywhere: the file, the reason, the remedy. */
import { BootlevelError } from "../errors/bootlevelError.js";

/** What the failed call was to do. */
export type StorageAction = "read" | "write" | "remove";

export interface StorageWords {
  /** One sentence that names the file. */
  readonly message: string;
  readonly remedy: string;
}

/**
 * Describes a failed call.
 * @param path the file or folder.
 * @param folder the place that needs room or other permissions.
 */
export function storageWords(action: StorageAction, path: string, folder: string, cause: unknown): StorageWords {
  const remedy = storageRemedy(storageCode(cause), folder) ?? OTHERWISE[action](folder);
  return { message: `cannot ${action} ${path}: ${(cause as Error).message}`, remedy };
}

const OTHERWISE: Readonly<Record<StorageAction, (folder: string) => string>> = {
  read: () => "make the file and its directories readable, or restore them from a copy",
  write: (folder) => `make room in ${folder}, or make it writable`,
  remove: (folder) => `make ${folder} writable and repeat the command`,
};

/** The remedy for an error code of the file system or of SQLite; undefined for a code without one of its own. */
export function storageRemedy(code: string, folder: string): string | undefined {
  return REMEDIES.find(([pattern]) => pattern.test(code))?.[1](folder);
}

const REMEDIES: readonly (readonly [RegExp, (folder: string) => string])[] = [
  [
    /^(ENOSPC|SQLITE_FULL)$/,
    (folder) => `the disk is full: make room in ${folder} and repeat the command; everything recorded so far is safe`,
  ],
  [/^EDQUOT$/, (folder) => `your disk quota is used up: make room in ${folder} and repeat the command`],
  [
    /^(EROFS|SQLITE_READONLY)/,
    (folder) => `the file system is read-only: make ${folder} writable and repeat the command`,
  ],
  [
    /^(EACCES|EPERM|SQLITE_(PERM|AUTH))/,
    (folder) => `give your user the rights to ${folder} and all that is in it, or run the command as its owner`,
  ],
  [
    /^(EIO|SQLITE_IOERR)/,
    (folder) => `the disk of ${folder} reported an error: check the system's log, make room, and repeat the command`,
  ],
  [/^(EMFILE|ENFILE)$/, () => "too many files are open: raise the limit (ulimit -n) and repeat the command"],
  [
    /^(ENOTDIR|EISDIR|EEXIST)$/,
    (folder) => `something else has this name or that of a folder above it: look in ${folder}, and move it away`,
  ],
  [/^ENAMETOOLONG$/, (folder) => `the path is too long: choose shorter names, or a shorter path than ${folder}`],
];

/** The code of an error of the file system (`ENOSPC`) or of SQLite (`SQLITE_FULL`), or "". */
export function storageCode(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

/** Whether Node reports with this error that a call of the system failed. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string";
}

/** Whether the cause is this computer or its disk, and not the program: a call of the system, or of SQLite, that failed. */
export function isStorageFailure(error: unknown): error is NodeJS.ErrnoException {
  return isSystemError(error) || (error instanceof Error && storageRemedy(storageCode(error), "") !== undefined);
}

/** A file on this computer cannot be read or written; for code that knows no record and no driver. */
export class StorageError extends BootlevelError {
  override readonly name = "StorageError";
  static override readonly code: string = "STORAGE";
  constructor({ message, remedy }: StorageWords, cause: unknown) {
    super(message, { remedy, cause });
  }
}
