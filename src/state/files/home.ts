/** Where this installation keeps its state, and how it keeps others out of it. */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { storageWords } from "../../files/storageFailure.js";
import { userHome, type Environment } from "../../model/environment.js";
import { StateError } from "../contract/errors.js";
import type { Home } from "../contract/home.js";

export type { Home } from "../contract/home.js";

const ELSEWHERE = "or point BOOTLEVEL_HOME at another directory";

/**
 * Tells the paths of `directory`, of `BOOTLEVEL_HOME` in `env`, or of `~/.bootlevel`. Touches nothing.
 * @throws StateError for a `BOOTLEVEL_HOME` that is no path.
 */
export function locateHome(directory: string | undefined, env: Environment): Home {
  const chosen = resolve(directory ?? homeOf(env));
  return {
    directory: chosen,
    database: join(chosen, "bootlevel.db"),
    keyFile: join(chosen, "secret.key"),
    runDirectory: (uid) => join(chosen, "runs", uid),
    driverDirectory: (driver) => join(chosen, "drivers", driver.replace(/[^A-Za-z0-9._-]/g, "_")),
  };
}

/** No shell expands a `~` in quotes or in a unit file: it stands for the home directory here, too. */
function homeOf(env: Environment): string {
  const given = env["BOOTLEVEL_HOME"];
  if (given === undefined) return join(userHome(env), ".bootlevel");
  if (given === "")
    throw new StateError("BOOTLEVEL_HOME is empty", "set it to a directory, or unset it: then it is ~/.bootlevel");
  if (given === "~" || given.startsWith("~/")) return join(userHome(env), given.slice(1));
  if (given.startsWith("~"))
    throw new StateError(
      `BOOTLEVEL_HOME is ${given}: another user's home directory is not looked up`,
      "write its whole path, or ./~… for a directory with this name",
    );
  return given;
}

/**
 * Makes the home directory with mode 0700. One that is there must be this installation's alone: then it is taken back
 * from group and others if somebody opened it.
 * @param isOwn whether nothing else is in a directory that is there. One with other files keeps its mode.
 * @throws StateError if it cannot be made, or is a file.
 */
export function prepareHome(home: Home, isOwn: boolean): void {
  try {
    mkdirSync(home.directory, { recursive: true, mode: 0o700 });
    if (isOwn && (statSync(home.directory).mode & 0o077) !== 0) chmodSync(home.directory, 0o700);
  } catch (error) {
    throw cannotUse(home.directory, error);
  }
}

export function cannotUse(directory: string, cause: unknown): StateError {
  const { remedy } = storageWords("write", directory, directory, cause);
  return new StateError(
    `cannot use ${directory} for bootlevel's state: ${(cause as Error).message}`,
    `${remedy}; ${ELSEWHERE}`,
    { cause },
  );
}
