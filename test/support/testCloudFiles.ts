/** The files of the test cloud: what it says is there, and what was asked of it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import type { MachineMark } from "../../src/drivers/contract/driver.js";

export interface CloudMachine {
  readonly id: string;
  readonly key: string;
  readonly mark: MachineMark;
  readonly tag: string;
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Paths below a driver's state directory. */
export function cloudFiles(stateDirectory: string) {
  return {
    /** A file a machine, named after its key. */
    machines: join(stateDirectory, "machines"),
    /** A line a call: the process, the verb, keys or ids. */
    calls: join(stateDirectory, "calls"),
    /** A line a machine that was made: its key. */
    created: join(stateDirectory, "created"),
    /** A line a machine that was made while its service had another one. */
    doubles: join(stateDirectory, "doubles"),
  };
}

/** The lines of a file that may not be there. */
export function linesOf(file: string): string[] {
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
}

/** What the test cloud itself has now. */
export function cloudMachines(stateDirectory: string): CloudMachine[] {
  const { machines } = cloudFiles(stateDirectory);
  return existsSync(machines)
    ? readdirSync(machines).map((name) => JSON.parse(readFileSync(join(machines, name), "utf8")) as CloudMachine)
    : [];
}
