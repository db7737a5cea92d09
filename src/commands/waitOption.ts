/** `--wait`, for commands that need exclusive access to a run. */
import type { Argv } from "yargs";

import { UsageError } from "./exitCodes.js";
import { printError } from "./output.js";

export interface WaitArguments {
  readonly wait?: string;
  /** Then nothing is said of the wait: a monitor reads one line. */
  readonly nagios?: boolean;
}

export function addWaitOption<T>(yargs: Argv<T>) {
  return yargs.option("wait", {
    type: "string",
    requiresArg: true,
    describe: "Wait up to this time, such as 5m, if another launcher works on the run",
  });
}

/** @throws UsageError if `--wait` is not a duration. */
export async function readWaitOption({
  wait,
  nagios = false,
}: WaitArguments): Promise<{ waitMs: number; onWait: (error: Error) => void }> {
  const onWait = (error: Error) => {
    if (!nagios) printError(`${error.message}; waiting up to ${wait ?? ""}`);
  };
  if (wait === undefined) return { waitMs: 0, onWait };
  const { parseDurationText } = await import("../library/index.js");
  const waitMs = await parseDurationText(wait);
  if (Number.isNaN(waitMs)) throw new UsageError(`--wait ${wait} is not a duration: write for example 30s or 5m`);
  return { waitMs, onWait };
}
