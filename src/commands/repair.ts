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
export const describe = "Find unhealthy services of a run and repair only those";

export function builder(yargs: Argv) {
  return addWaitOption(yargs.positional("run", RUN))
    .option("replace", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "Replace the machine of this service, healthy or not; repeatable",
    })
    .option("max-replacements", {
      type: "number",
      requiresArg: true,
      describe: "If more machines than this are lost, change nothing (default: a third of the run's, at least 1)",
    })
    .option("force", {
      type: "boolean",
      default: false,
      describe: "Skip the terminate programs of replaced machines",
    })
    .option("dry-run", {
      type: "boolean",
      default: false,
      describe: "Print what would be done, and why; change nothing",
    })
    .option("verbose", VERBOSE)
    .example("$0 repair shop", "Safe in cron: a healthy run is not changed")
    .example("$0 repair shop --dry-run", "Print what would be done, and why")
    .example("$0 repair shop --replace web-2", "Give web-2 a new machine");
}

export async function handler(options: RepairArguments): Promise<number> {
  const { maxReplacements } = options;
  if (maxReplacements !== undefined && !(Number.isInteger(maxReplacements) && maxReplacements >= 0))
    throw new UsageError("--max-replacements must be a whole number, 0 or more");
  const wait = await readWaitOption(options);
  const { result, interrupted } = await withProgress(
    { ...options, afterwards: "Run repair again to continue." },
    (watch) =>
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
  const { followerLines, taskLines } = await import("../display/tasks.js");
  const untouched = dryRun || result.refused !== null;
  if (untouched && result.tasks.length > 0) print(taskLines(result.tasks).join("\n"));
  if (untouched && result.followers.length > 0) print(followerLines(result.followers).join("\n"));
  for (const service of untouched ? result.removed : []) print(`${service}: take down (removed from the plan)`);
  for (const { service, message } of result.blocked)
    print(`${service}: unhealthy, and repair cannot fix it (${message})`);
  if (result.refused !== null) return print(`\n${result.refused}`);
  if (
    result.tasks.length === 0 &&
    result.removed.length === 0 &&
    result.blocked.length === 0 &&
    result.state === "ready"
  )
    return print(`${result.run} is healthy: nothing to repair.`);
  if (untouched) return print(`\nNothing was changed${dryRun ? " (--dry-run)" : ""}.`);
  await printOutcome(result, interrupted);
}
