/** A machine that is a directory on this computer. */
import { join } from "node:path";

import type { Environment } from "../../model/environment.js";
import type { MachineConnection } from "../contract/connection.js";
import { machineEnvironment } from "./environment.js";
import { openLocal } from "./localConnection.js";

export interface LocalMachine {
  /** Holds `home`, `tmp` and `work`. */
  readonly directory: string;
  /** A decimal number of at most 16 digits, which all its processes carry. */
  readonly tag: string;
}

/** Connects to a machine. @param env of whoever launches: a few harmless variables of it are passed on. */
export function openMachine({ directory, tag }: LocalMachine, env: Environment): MachineConnection {
  return openLocal({
    directory: join(directory, "home"),
    workDirectory: join(directory, "work"),
    env: machineEnvironment(directory, tag, env),
    tag,
  });
}
