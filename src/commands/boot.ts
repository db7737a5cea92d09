import type { Argv } from "yargs";

import { boot, checkVariables, describePlan, loadPlan, type BootResult } from "../index.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printJson, screen } from "./output.js";
import { showProgress } from "./progress.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";

interface BootArguments extends VariableArguments {
  readonly plan: string;
  readonly name?: string;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly verbose: boolean;
}

export const command = "boot <plan>";
export const describe = "Boot a launch plan: level by level, each service verified";

export function builder(yargs: Argv) {
  return addVariableOptions(yargs.positional("plan", { type: "string", demandOption: true, describe: "a plan file, or a folder with launch.yaml" }))
    .option("name", { type: "string", requiresArg: true, describe: "the run's name (default: the plan's, with a random ending)" })
    .option("dry-run", { type: "boolean", default: false, describe: "check everything and say what would start; start nothing" })
    .option("verbose", { type: "boolean", default: false, describe: "show what the programs print" })
    .example("$0 boot plans/hello", "boot the plan in plans/hello/launch.yaml")
    .example("$0 boot shop.yaml --name shop --var greeting=Hi", "a run named shop, with a variable set")
    .example("$0 boot shop.yaml --json >run.json", "from a script: one document on stdout");
}

export async function handler(options: BootArguments): Promise<number> {
  if (Array.isArray(options.name)) throw new UsageError("--name was given twice");
  const plan = await loadPlan(options.plan);
  const values = readVariableOptions(options);
  if (options.dryRun) {
    await checkVariables(plan, values);
    const description = await describePlan(plan);
    const { formatDescription } = await import("./description.js");
    if (options.json) printJson("boot", { dryRun: true, plan: description });
    else print(`${formatDescription(description)}\n\nNothing was started (--dry-run).`);
    return EXIT.fine;
  }
  const progress = await showProgress({ ...options, noun: "the run can be looked at and terminated afterwards" });
  let result: BootResult;
  try {
    result = await boot(plan, { ...values, ...(options.name === undefined ? {} : { name: options.name }), onEvent: progress.onEvent, signal: progress.interruption.signal });
  } finally {
    progress.close();
  }
  if (options.json) printJson("boot", result);
  else await printEnd(result);
  return exitCode(result);
}

function exitCode(result: BootResult): number {
  if (result.state === "ready") return EXIT.fine;
  if (result.state === "interrupted") return EXIT.interrupted;
  return result.cloudUnreachable ? EXIT.unreachable : EXIT.notFine;
}

async function printEnd(result: BootResult): Promise<void> {
  const { formatFailures } = await import("../reporting/failure.js");
  if (result.failures.length > 0) print(`\n${formatFailures(result.failures, screen())}`);
  print(`\n${whatNow(result)}`);
}

function whatNow({ run, state }: BootResult): string {
  if (state === "ready") return `The run is called ${run}. Look at it: bootlevel status ${run}   End it: bootlevel terminate ${run}`;
  if (state === "interrupted") return `Interrupted. What runs: bootlevel show ${run}   End it: bootlevel terminate ${run}`;
  return `What came up still runs: bootlevel show ${run}   The whole output: bootlevel logs ${run}   End it: bootlevel terminate ${run}`;
}
