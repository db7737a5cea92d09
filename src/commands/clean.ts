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
export const describe = "Find orphaned machines tagged by this installation, and end them";

export function builder(yargs: Argv) {
  return addVariableOptions(yargs.positional("run", { type: "string", describe: "Only machines of this run" }))
    .option("all", {
      alias: "a",
      type: "boolean",
      default: false,
      describe: "Machines of all runs, including runs unknown to the database",
    })
    .option("plan", {
      type: "string",
      requiresArg: true,
      describe: "Also search the clouds of this plan, for example after the database was lost",
    })
    .option("yes", YES)
    .option("dry-run", { type: "boolean", default: false, describe: "List the machines; end nothing" })
    .example("$0 clean --all", "List orphaned machines, ask, and end them")
    .example("$0 clean shop --dry-run", "List orphaned machines of the run shop");
}

export async function handler(options: CleanArguments): Promise<number> {
  if ((options.run === undefined) === !options.all) throw new UsageError("no run given: name a run, or use --all");
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
    print(`Cloud "${cloud}" could not be searched and may have orphaned machines: ${message}`);
  for (const { machine, message } of failed) print(`${machine.id} could not be ended: ${message}`);
  for (const { cloud, run, message } of unreleased)
    print(`Cloud "${cloud}" still holds resources of run ${run}, which has no machines left: ${message}`);
  if (found.length === 0) return print("No orphaned machines.");
  if (dryRun) return print("\nNothing was ended (--dry-run).");
  print(`\n${ended.length} of ${found.length} ended.`);
}
