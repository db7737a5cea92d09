/**
 * The environment of programs on this computer: made from nothing, so that no secret of the launcher's own (cloud keys,
 * tokens) is inherited.
 */
import { join } from "node:path";

import { userHome, userName, type Environment } from "../../model/environment.js";

/**
 * Names that a program may need to run at all and that tell nothing: where programs are found, languages, the time
 * zone.
 */
const PASSED_ON = ["PATH", "LANG", "LANGUAGE", "TZ"];

/** For a local machine, of the environment `env` of whoever launches: its own HOME and TMPDIR below `directory`. */
export function machineEnvironment(directory: string, tag: string, env: Environment): Record<string, string> {
  return { ...basics(env), HOME: join(directory, "home"), TMPDIR: join(directory, "tmp"), BOOTLEVEL_MACHINE: tag };
}

/** For programs with `where: launcher`: the operator's own HOME, where tools find their settings. */
export function launcherEnvironment(tag: string, env: Environment): Record<string, string> {
  return { ...basics(env), HOME: userHome(env), BOOTLEVEL_MACHINE: tag };
}

function basics(env: Environment): Record<string, string> {
  const user = userName(env);
  const passed = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && (PASSED_ON.includes(name) || name.startsWith("LC_")) ? [[name, value] as const] : [],
  );
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    ...Object.fromEntries(passed),
    USER: user,
    LOGNAME: user,
    SHELL: "/bin/sh",
  };
}
