/** Whether a path exists, when a wrong "no" would cost a machine. */
import { statSync } from "node:fs";

import { StorageError, storageCode, storageWords } from "./storageFailure.js";

/**
 * Whether there is something at `path`. Unlike `existsSync`, it does not take a path that cannot be looked at for a
 * missing one.
 * @throws StorageError if that cannot be told: no permission, a broken disk.
 */
export function exists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    if (storageCode(cause) === "ENOTDIR") return false; // a part of the path is a file
    throw new StorageError(storageWords("read", path, path, cause), cause);
  }
}
