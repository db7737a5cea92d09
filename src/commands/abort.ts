import type { Argv } from "yargs";

import { abort, cancelAbort } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printJson } from "./output.js";

export const command = "abort <run> [reason..]";
export const describe = "End everything that goes on in a run, on all its machines; or take an abort back";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("reason", { type: "string", array: true, describe: "why, for everyone who looks" })
    .option("cancel", {
      type: "boolean",
      default: false,
      describe: "take the abort back, so that the run can be gone on with",
    })
    .example(
      "$0 abort shop 'wrong version of the test data'",
      "programs are ended, whoever waits is told, the machines stay",
    )
    .example("$0 abort shop --cancel", "go on: bootlevel ssh, rerun, repair and boot --resume work again");
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
  if (reason === "") throw new UsageError("why? Write a reason: bootlevel abort RUN REASON");
  const result = await abort(run, reason, ENVIRONMENT);
  if (options.json) printJson("abort", result);
  else if (!result.fresh)
    print(`${run} was aborted before, by ${result.origin}: ${result.reason}. The first reason stays.`);
  else
    print(
      result.workedOnBy === null
        ? `${run} is aborted; no program of it runs.`
        : `${run} is aborted: ${result.workedOnBy}, which works on it, ${TIDIES_UP.has(result.workedOnBy) ? "tidies up and goes on" : "ends what runs"}.`,
    );
  return EXIT.fine;
}

/** Commands that an abort does not end: they tidy up after it. */
const TIDIES_UP: ReadonlySet<string> = new Set(["reports", "terminate"]);

async function cancel(run: string, reason: string, json: boolean): Promise<number> {
  if (reason !== "") throw new UsageError("--cancel takes no reason");
  const cancelled = await cancelAbort(run, ENVIRONMENT);
  if (json) printJson("abort", { run, cancelled });
  else
    print(
      cancelled === null
        ? `${run} was not aborted.`
        : `${run} is no longer aborted (${cancelled}). Go on with it: bootlevel boot --resume ${run}   bootlevel repair ${run}   bootlevel rerun ${run} SERVICE`,
    );
  return EXIT.fine;
}
