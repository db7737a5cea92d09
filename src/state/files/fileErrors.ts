/** Errors of the file system, in sentences that name the file and what helps. */
import { dirname, join } from "node:path";

import { storageWords } from "../../files/storageFailure.js";
import { FileError } from "../contract/fileErrors.js";

/** @param folder what there must be room in. */
export function cannotWrite(path: string, folder: string, cause: unknown): FileError {
  const { message, remedy } = storageWords("write", path, folder, cause);
  return new FileError(message, remedy, { cause });
}

export function cannotRead(path: string, cause: unknown): FileError {
  const { message, remedy } = storageWords("read", path, dirname(path), cause);
  return new FileError(message, remedy, { cause });
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
