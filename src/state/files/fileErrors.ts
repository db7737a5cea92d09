/** Errors of the file system, in sentences that name the file and what helps. */
import { join } from "node:path";

import { FileError } from "../contract/fileErrors.js";

export { cannotRead, cannotWrite } from "../contract/fileErrors.js";

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** A file in a folder. @throws FileError for a name that would lead out of it. */
export function fileIn(folder: string, name: string): string {
  if (name.includes("/") || name.includes("\0") || name === "." || name === "..")
    throw new FileError(`${JSON.stringify(name)} is not a file name in ${folder}`, "name a service of the run");
  return join(folder, name);
}
