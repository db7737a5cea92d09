/** Opens SQLite databases on this computer: the state and the simulated clouds. */
import Database from "better-sqlite3";

import { BootlevelError, guardOf } from "../errors/bootlevelError.js";

/** A dependency's native part does not load, for example because another version of Node.js installed it. */
export class NativePartError extends BootlevelError {
  override readonly name = "NativePartError";
  static override readonly code: string = "NATIVE_PART";
}

export const isNativePartError = guardOf(NativePartError);

/**
 * Opens a database file.
 * @throws NativePartError if SQLite itself does not load; SQLite's errors.
 */
export function openSqlite(path: string, options: Database.Options): Database.Database {
  try {
    return new Database(path, options);
  } catch (error) {
    throw asNativePartError(error);
  }
}

function asNativePartError(error: unknown): unknown {
  const { code, message = "" } = error as { code?: unknown; message?: string };
  const isMissing = message.startsWith("Could not locate the bindings file");
  if (code !== "ERR_DLOPEN_FAILED" && !isMissing) return error;
  const [built] = /NODE_MODULE_VERSION \d+/.exec(message) ?? [];
  const why = isMissing
    ? "it was installed without its install script"
    : built === undefined
      ? (message.split("\n")[0] ?? "")
      : "another version of Node.js installed it";
  return new NativePartError(
    `the native part of better-sqlite3, bootlevel's database, does not load in Node.js ${process.versions.node}: ${why}`,
    {
      remedy:
        "run `npm rebuild better-sqlite3` in the directory where bootlevel is installed (for a global installation, " +
        "install it again), or use the Node.js that installed it",
      cause: error,
    },
  );
}
