/** Errors of the file system, in sentences that name the file and what helps. */
import { join } from "node:path";

import { FileError } from "../contract/fileErrors.js";

/** @param folder what there must be room in. */
export function cannotWrite(path: string, folder: string, cause: unknown): FileError {
  return new FileError(
    `cannot write ${path}: ${(cause as Error).message}`,
    `make room in ${folder}, or make it writable`,
    { cause },
  );
}

export function cannotRead(path: string, cause: unknown): FileError {
  return new FileError(
    `cannot read ${path}: ${(cause as Error).message}`,
    "make the file and its directories readable, or restore them from a copy",
    { cause },
  );
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** A file in a folder. @throws FileError for a name that would lead out of it. */
export function fileIn(folder: string, name: string): string {
  if (name.includes("/") || name.includes("\0") || name === "." || name === "..")
    throw new FileError(`${JSON.stringify(name)} is not a file name in ${folder}`, "name a service of the run");
  return join(folder, name);
}
