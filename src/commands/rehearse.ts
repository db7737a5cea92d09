import type { Argv } from "yargs";

import { type RehearsalReport } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { PLAN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { onInterrupt } from "./interrupt.js";
import { print, printError, printJson, screen } from "./output.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";
import { loadPlan, rehearse } from "../library/plans.js";

interface RehearseArguments extends VariableArguments {
  readonly plan: string;
  readonly runs: number;
  readonly repairs: number;
  readonly faults?: string;
  readonly seed: string;
  readonly json: boolean;
}

export const command = "rehearse <plan>";
export const describe = "Boot a launch plan many times on a simulated cloud and count the outcomes";

export function builder(yargs: Argv) {
  return addVariableOptions(yargs.positional("plan", PLAN))
    .option("runs", { type: "number", requiresArg: true, default: 100, describe: "Number of rehearsals" })
    .option("repairs", {
      type: "number",
      requiresArg: true,
      default: 3,
      describe: "Maximum number of repairs after a failed boot",
    })
    .option("faults", {
      type: "string",
      requiresArg: true,
      describe: "YAML file of faults to inject (default: none)",
    })
    .option("seed", {
      type: "string",
      requiresArg: true,
      default: "1",
      describe: "Random seed; the same seed gives the same result",
    })
    .example("$0 rehearse shop.yaml", "Boot time without faults")
    .example("$0 rehearse shop.yaml --faults faults.yaml --runs 500", "Success rate with faults, and causes of failure")
    .example("$0 rehearse shop.yaml --runs 1 --seed 1.17 --json", "For scripts: one JSON document on stdout");
}

export async function handler(options: RehearseArguments): Promise<number> {
  const runs = wholeNumber("--runs", options.runs, 1);
  const repairs = wholeNumber("--repairs", options.repairs, 0);
  const plan = await loadPlan(options.plan, ENVIRONMENT);
  const counter = progress(runs, options.json);
  const interruption = onInterrupt(() => {
    counter.say("stopping after this rehearsal; interrupt again to exit at once");
  });
  let report: RehearsalReport;
  try {
    report = await rehearse(plan, {
      ...ENVIRONMENT,
      ...readVariableOptions(options),
      runs,
      repairs,
      seed: options.seed,
      onProgress: counter.show,
      signal: interruption.signal,
      ...(options.faults === undefined ? {} : { faults: options.faults }),
    });
  } finally {
    interruption.release();
    counter.clear();
  }
  if (options.json) printJson("rehearse", report);
  else print((await import("../display/rehearsal.js")).formatRehearsal(report, screen()));
  if (interruption.interrupted) return EXIT.interrupted;
  return report.ready.at(-1) === report.runs ? EXIT.fine : EXIT.notFine;
}

function wholeNumber(option: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new UsageError(`${option} must be a whole number, ${least} or more`);
}

/** A counter redrawn in place on a terminal; prints nothing elsewhere. */
function progress(
  runs: number,
  json: boolean,
): { show: (done: number) => void; say: (text: string) => void; clear: () => void } {
  const quiet = json || !process.stderr.isTTY;
  const write = (text: string) => {
    if (!quiet) process.stderr.write(`\r\u001b[K${text}`);
  };
  return {
    show: (done) => {
      write(`rehearsed ${done} of ${runs}`);
    },
    say: (text) => {
      write("");
      printError(text);
    },
    clear: () => {
      write("");
    },
  };
}
