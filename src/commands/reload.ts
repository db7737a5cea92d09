import type { Argv } from "yargs";

import { givenOf, type ReloadResult, type ServiceChange } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN, VERBOSE, YES } from "./commonOptions.js";
import { EXIT } from "./exitCodes.js";
import { exitCodeFor, printOutcome } from "./outcome.js";
import { addGivenOptions, readGivenOptions, type GivenArguments } from "./givenOptions.js";
import { print, printError, printJson, screen } from "./output.js";
import { demandYes, withProgress } from "./progress.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { loadPlan } from "../library/plans.js";
import { reload } from "../library/runs.js";

interface ReloadArguments extends GivenArguments, VariableArguments, WaitArguments {
  readonly run: string;
  readonly plan: string;
  readonly yes: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

export const command = "reload <run> <plan>";
export const describe = "Let a run follow a changed plan: show the difference, then apply it level by level";

export function builder(yargs: Argv) {
  return addWaitOption(
    addGivenOptions(
      addVariableOptions(
        yargs.positional("run", RUN).positional("plan", {
          type: "string",
          demandOption: true,
          describe: "the changed plan: a file, or a folder with launch.yaml",
        }),
      ),
    ),
  )
    .option("yes", YES)
    .option("dry-run", { type: "boolean", default: false, describe: "only show the difference" })
    .option("force", {
      type: "boolean",
      default: false,
      describe: "leave the terminate programs of replaced and removed services out",
    })
    .option("verbose", VERBOSE)
    .example("$0 reload shop shop.yaml --dry-run", "what would change")
    .example("$0 reload shop shop.yaml", "show it, ask, and do it");
}

export async function handler(options: ReloadArguments): Promise<number> {
  const plan = await loadPlan(options.plan, {
    ...ENVIRONMENT,
    given: readGivenOptions(options),
    givenBefore: await givenOf(String(options.run), ENVIRONMENT),
  });
  const wait = await readWaitOption(options);
  const { result, interrupted } = await withProgress({ ...options, noun: "repair goes on with it" }, (watch) =>
    reload(String(options.run), plan, {
      ...ENVIRONMENT,
      ...readVariableOptions(options),
      ...wait,
      force: options.force,
      ...watch,
      confirm: (changes) => confirmChanges(options, changes),
    }),
  );
  if (options.json) printJson("reload", result);
  else if (result.applied) await printOutcome(result, interrupted);
  else print(result.changes.some(isChange) ? "Nothing was changed." : sameWords(result));
  if (result.applied) return exitCodeFor(result, interrupted);
  if (options.dryRun) return EXIT.fine;
  return result.changes.some(isChange) ? EXIT.wrong : result.state === "ready" ? EXIT.fine : EXIT.notFine;
}

/** A reload that failed or was killed half-way has stored its plan: the rest of it is a repair's. */
function sameWords({ run, state }: ReloadResult): string {
  if (state === "ready") return `${run} follows this plan already: nothing to change.`;
  return `${run} follows this plan already, and is not well. Go on with it: bootlevel repair ${run}`;
}

async function confirmChanges(options: ReloadArguments, changes: readonly ServiceChange[]): Promise<boolean> {
  const say = options.json ? printError : print;
  if (!options.json || !options.dryRun) say(await changeTable(changes));
  if (options.dryRun) return false;
  return options.yes || demandYes("Apply this?");
}

const WORDS: Readonly<Record<ServiceChange["action"], string>> = {
  add: "added",
  remove: "removed",
  replace: "replaced by another machine",
  boot: "boots again",
  verify: "verified again",
  keep: "goes on",
};

async function changeTable(changes: readonly ServiceChange[]): Promise<string> {
  const { formatTable } = await import("../display/table.js");
  const shown = changes.filter(isChange);
  const rows = shown.map(({ levelName, name, was, action, differences }) => [
    levelName,
    was === null ? name : `${name} (was ${was})`,
    WORDS[action],
    differences.join(", "),
  ]);
  const same = changes.length - shown.length;
  const table =
    rows.length === 0
      ? "No service changes, the plan's settings do."
      : formatTable(["LEVEL", "SERVICE", "WHAT", "BECAUSE"], rows, screen());
  return same === 0 ? table : `${table}\n${same} service${same === 1 ? "" : "s"} unchanged`;
}

function isChange({ action, was, differences }: ServiceChange): boolean {
  return action !== "keep" || was !== null || differences.length > 0;
}
