/** Environment variables that somebody has let bootlevel read. The library reads none of its process's own accord. */
import { userInfo } from "node:os";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The home directory: `HOME`, else what the computer's list of users says. */
export function userHome(env: Environment): string {
  return env["HOME"] || userInfo().homedir;
}
