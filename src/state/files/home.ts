/** Where this installation keeps its state, and how it keeps others out of it. */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { userHome, type Environment } from "../../model/environment.js";
import { StateError } from "../contract/errors.js";
import type { Home } from "../contract/home.js";

export type { Home } from "../contract/home.js";

/** Tells the paths of `directory`, of `BOOTLEVEL_HOME` in `env`, or of `~/.bootlevel`. Touches nothing. */
export function locateHome(directory: string | undefined, env: Environment): Home {
  const chosen = resolve(directory ?? (env["BOOTLEVEL_HOME"] || join(userHome(env), ".bootlevel")));
  return {
    directory: chosen,
    database: join(chosen, "bootlevel.db"),
    keyFile: join(chosen, "secret.key"),
    runDirectory: (uid) => join(chosen, "runs", uid),
    driverDirectory: (driver) => join(chosen, "drivers", driver.replace(/[^A-Za-z0-9._-]/g, "_")),
  };
}

/**
 * Makes the home directory with mode 0700, and takes it back from group and others if somebody opened it.
 * @throws StateError if it cannot be made, or is a file.
 */
export function prepareHome(home: Home): void {
  try {
    mkdirSync(home.directory, { recursive: true, mode: 0o700 });
    if ((statSync(home.directory).mode & 0o077) !== 0) chmodSync(home.directory, 0o700);
  } catch (error) {
    throw new StateError(
      `cannot use ${home.directory} for bootlevel's state: ${(error as Error).message}`,
      "make the directory writable, or point BOOTLEVEL_HOME at another directory",
      { cause: error },
    );
  }
}
