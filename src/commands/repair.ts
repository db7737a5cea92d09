import type { Argv } from "yargs";

import { type RepairResult } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN, VERBOSE } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { exitCodeFor, printOutcome } from "./outcome.js";
import { print, printJson } from "./output.js";
import { withProgress } from "./progress.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { repair } from "../library/runs.js";

interface RepairArguments extends WaitArguments {
  readonly run: string;
  readonly replace?: string[];
  readonly maxReplacements?: number;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

export const command = "repair <run>";
export const describe = "Find what is not well in a run and mend just that";

export function builder(yargs: Argv) {
  return addWaitOption(yargs.positional("run", RUN))
    .option("replace", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "replace the machine of this service, well or not",
    })
    .option("max-replacements", {
      type: "number",
      requiresArg: true,
      describe: "replace at most so many lost machines, else touch nothing (default: a third of the run's, at least 1)",
    })
    .option("force", {
      type: "boolean",
      default: false,
      describe: "leave the terminate programs of replaced machines out",
    })
    .option("dry-run", { type: "boolean", default: false, describe: "only say what would be done, and why" })
    .option("verbose", VERBOSE)
    .example("$0 repair shop", "from cron: does nothing to a run that is well")
    .example("$0 repair shop --dry-run", "what it would do, and why")
    .example("$0 repair shop --replace web-2", "another machine for web-2");
}

export async function handler(options: RepairArguments): Promise<number> {
  const { maxReplacements } = options;
  if (maxReplacements !== undefined && !(Number.isInteger(maxReplacements) && maxReplacements >= 0))
    throw new UsageError("--max-replacements: write a whole number, 0 or more");
  const wait = await readWaitOption(options);
  const { result, interrupted } = await withProgress({ ...options, noun: "call repair again to go on" }, (watch) =>
    repair(String(options.run), {
      ...ENVIRONMENT,
      ...wait,
      replace: options.replace ?? [],
      force: options.force,
      dryRun: options.dryRun,
      ...(maxReplacements === undefined ? {} : { maxReplacements }),
      ...watch,
    }),
  );
  if (options.json) printJson("repair", result);
  else await printResult(result, options.dryRun, interrupted);
  if (result.refused !== null) return EXIT.notFine;
  return options.dryRun && result.tasks.length > 0 ? EXIT.notFine : exitCodeFor(result, interrupted);
}

async function printResult(result: RepairResult, dryRun: boolean, interrupted: boolean): Promise<void> {
  const { taskLines } = await import("../display/tasks.js");
  const untouched = dryRun || result.refused !== null;
  if (untouched && result.tasks.length > 0) print(taskLines(result.tasks).join("\n"));
  for (const service of untouched ? result.removed : []) print(`${service}: take down (the plan has it no more)`);
  for (const { service, message } of result.blocked)
    print(`${service}: not well, and a repair cannot mend it (${message})`);
  if (result.refused !== null) return print(`\n${result.refused}`);
  if (
    result.tasks.length === 0 &&
    result.removed.length === 0 &&
    result.blocked.length === 0 &&
    result.state === "ready"
  )
    return print(`${result.run} is well: nothing to repair.`);
  if (untouched) return print(`\nNothing was touched${dryRun ? " (--dry-run)" : ""}.`);
  await printOutcome(result, interrupted);
}
