import type { Argv } from "yargs";

import { abort, cancelAbort } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printJson } from "./output.js";

export const command = "abort <run> [reason..]";
export const describe = "Stop everything in progress in a run, on all its machines; or cancel the abort";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("reason", { type: "string", array: true, describe: "Reason, shown to everyone who looks at the run" })
    .option("cancel", {
      type: "boolean",
      default: false,
      describe: "Cancel the abort, so that work on the run can continue",
    })
    .example("$0 abort shop 'wrong version of the test data'", "Stop all programs and waits; keep the machines")
    .example("$0 abort shop --cancel", "Allow ssh, rerun, repair and boot --resume again");
}

export async function handler(options: {
  readonly run: string;
  readonly reason?: string[];
  readonly cancel: boolean;
  readonly json: boolean;
}): Promise<number> {
  const run = String(options.run);
  const reason = (options.reason ?? []).join(" ").trim();
  if (options.cancel) return cancel(run, reason, options.json);
  if (reason === "") throw new UsageError("no reason given: bootlevel abort RUN REASON");
  const result = await abort(run, reason, ENVIRONMENT);
  if (options.json) printJson("abort", result);
  else if (!result.fresh)
    print(`${run} is already aborted, by ${result.origin}: ${result.reason}. The first reason is kept.`);
  else
    print(
      result.workedOnBy === null
        ? `${run} is aborted. None of its programs is running.`
        : `${run} is aborted. ${result.workedOnBy} works on it and ` +
            `${CLEANS_UP.has(result.workedOnBy) ? "continues after cleaning up" : "ends everything in progress"}.`,
    );
  return EXIT.fine;
}

/** Commands that continue after an abort: they clean up after it. */
const CLEANS_UP: ReadonlySet<string> = new Set(["reports", "terminate"]);

async function cancel(run: string, reason: string, json: boolean): Promise<number> {
  if (reason !== "") throw new UsageError("--cancel takes no reason");
  const cancelled = await cancelAbort(run, ENVIRONMENT);
  if (json) printJson("abort", { run, cancelled });
  else
    print(
      cancelled === null
        ? `${run} is not aborted.`
        : `${run} is no longer aborted (${cancelled}). ` +
            `Continue: bootlevel boot --resume ${run}   bootlevel repair ${run}   bootlevel rerun ${run} SERVICE`,
    );
  return EXIT.fine;
}
