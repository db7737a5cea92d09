import type { Argv } from "yargs";

import { type CleanResult, type StrayMachine } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { YES } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printError, printJson, screen } from "./output.js";
import { demandYes } from "./progress.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";
import { loadPlan } from "../library/plans.js";
import { clean } from "../library/runs.js";

interface CleanArguments extends VariableArguments {
  readonly run?: string;
  readonly all: boolean;
  readonly plan?: string;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export const command = "clean [run]";
export const describe = "Find machines that carry this installation's mark and belong to no live service, and end them";

export function builder(yargs: Argv) {
  return addVariableOptions(yargs.positional("run", { type: "string", describe: "only this run's machines" }))
    .option("all", {
      alias: "a",
      type: "boolean",
      default: false,
      describe: "of all runs, also those that the database does not know",
    })
    .option("plan", {
      type: "string",
      requiresArg: true,
      describe: "ask the clouds of this plan too, when the database that knew them was lost",
    })
    .option("yes", YES)
    .option("dry-run", { type: "boolean", default: false, describe: "only show them" })
    .example("$0 clean --all", "shows what it found, asks, and ends only that")
    .example("$0 clean shop --dry-run", "stray machines of the run shop");
}

export async function handler(options: CleanArguments): Promise<number> {
  if ((options.run === undefined) === !options.all) throw new UsageError("which machines? Name a run, or say --all");
  const plan =
    options.plan === undefined
      ? {}
      : { plan: await loadPlan(options.plan, ENVIRONMENT), ...readVariableOptions(options) };
  const result = await clean({
    ...ENVIRONMENT,
    ...plan,
    ...(options.run === undefined ? {} : { run: String(options.run) }),
    onEvent: (event) => {
      if (event.type === "warning") printError(`bootlevel: ${event.message}`);
    },
    confirm: (machines) => confirmMachines(options, machines),
  });
  if (options.json) printJson("clean", result);
  else await printResult(result, options);
  if (result.silent.length > 0) return EXIT.unreachable;
  const left = result.found.length - result.ended.length;
  return (left === 0 && result.unreleased.length === 0) || options.dryRun ? EXIT.fine : EXIT.notFine;
}

async function confirmMachines(options: CleanArguments, machines: readonly StrayMachine[]): Promise<boolean> {
  if (machines.length === 0) return !options.dryRun;
  const { formatTable } = await import("../display/table.js");
  const rows = machines.map(({ cloud, id, mark, host, state, why }) => [
    cloud,
    id,
    mark?.runName ?? "",
    mark?.service ?? "",
    host ?? "",
    state,
    why,
  ]);
  const table = formatTable(["CLOUD", "ID", "RUN", "SERVICE", "HOST", "STATE", "WHY"], rows, screen());
  if (options.json) printError(table);
  else print(table);
  if (options.dryRun) return false;
  return (
    options.yes || demandYes(`End ${machines.length === 1 ? "this machine" : `these ${machines.length} machines`}?`)
  );
}

async function printResult(
  { found, ended, failed, silent, unreleased }: CleanResult,
  { dryRun }: CleanArguments,
): Promise<void> {
  for (const { cloud, message } of silent)
    print(`Cloud "${cloud}" could not be asked, and may have such machines: ${message}`);
  for (const { machine, message } of failed) print(`${machine.id} could not be ended: ${message}`);
  for (const { cloud, run, message } of unreleased)
    print(`Cloud "${cloud}" keeps something of run ${run}, which has no machine any more: ${message}`);
  if (found.length === 0) return print("No stray machines.");
  if (dryRun) return print("\nNothing was ended (--dry-run).");
  print(`\n${ended.length} of ${found.length} ended.`);
}
