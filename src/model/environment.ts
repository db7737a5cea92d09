/**
 * Environment variables that the caller allows bootlevel to read. The library never reads its own process's
 * environment.
 */
import { userInfo } from "node:os";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The home directory: `HOME`, else the one in the computer's user database. */
export function userHome(env: Environment): string {
  return env["HOME"] || userInfo().homedir;
}
