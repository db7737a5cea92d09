/**
 * Environment variables that the caller allows bootlevel to read. The library never reads its own process's
 * environment.
 */
import { userInfo } from "node:os";

import { BootlevelError } from "../errors/bootlevelError.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Something that bootlevel needs to know of its user is nowhere to be found. */
export class EnvironmentError extends BootlevelError {
  override readonly name = "EnvironmentError";
  static override readonly code: string = "ENVIRONMENT";
}

/**
 * The home directory: `HOME`, else the one in the computer's user database.
 * @throws EnvironmentError if there is neither.
 */
export function userHome(env: Environment): string {
  const home = env["HOME"] || databaseEntry()?.homedir;
  if (home !== undefined) return home;
  throw new EnvironmentError(
    `your home directory is unknown: HOME is not set, and this computer's user database has no user ${userId()}`,
    { remedy: "set HOME" },
  );
}

/** The user's name; `LOGNAME`, `USER` or the number of a user who is not in the computer's user database. */
export function userName(env: Environment = {}): string {
  return databaseEntry()?.username ?? (env["LOGNAME"] || env["USER"] || userId());
}

function userId(): string {
  return String(process.getuid?.() ?? "unknown");
}

/** Containers often run as a number that has no name. */
function databaseEntry(): { readonly username: string; readonly homedir: string } | null {
  try {
    return userInfo();
  } catch {
    return null; // it fails for no other reason
  }
}
