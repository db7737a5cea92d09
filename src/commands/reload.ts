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
export const describe = "Apply a changed plan to a run, after showing the difference";

export function builder(yargs: Argv) {
  return addWaitOption(
    addGivenOptions(
      addVariableOptions(
        yargs.positional("run", RUN).positional("plan", {
          type: "string",
          demandOption: true,
          describe: "Changed plan: a file, or a folder with a launch.yaml",
        }),
      ),
    ),
  )
    .option("yes", YES)
    .option("dry-run", { type: "boolean", default: false, describe: "Show the difference; change nothing" })
    .option("force", {
      type: "boolean",
      default: false,
      describe:
        "Skip terminate programs of replaced and removed services, and give up reports that could not be brought home",
    })
    .option("verbose", VERBOSE)
    .example("$0 reload shop shop.yaml --dry-run", "Show what would change")
    .example("$0 reload shop shop.yaml", "Show the changes, ask, and apply them");
}

export async function handler(options: ReloadArguments): Promise<number> {
  const plan = await loadPlan(options.plan, {
    ...ENVIRONMENT,
    given: readGivenOptions(options),
    givenBefore: await givenOf(String(options.run), ENVIRONMENT),
  });
  const wait = await readWaitOption(options);
  const { result, interrupted } = await withProgress({ ...options, afterwards: "Run repair to continue." }, (watch) =>
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
  else print(result.changes.some(isChange) ? "Nothing was changed." : unchangedText(result));
  if (result.applied) return exitCodeFor(result, interrupted);
  if (options.dryRun) return EXIT.fine;
  return result.changes.some(isChange) ? EXIT.wrong : result.state === "ready" ? EXIT.fine : EXIT.notFine;
}

/** A reload that failed or was killed has stored its plan already, so a repair completes it. */
function unchangedText({ run, state }: ReloadResult): string {
  if (state === "ready") return `${run} already follows this plan: nothing to change.`;
  return `${run} already follows this plan, but is not ready. Repair it: bootlevel repair ${run}`;
}

async function confirmChanges(options: ReloadArguments, changes: readonly ServiceChange[]): Promise<boolean> {
  const say = options.json ? printError : print;
  if (!options.json || !options.dryRun) say(await changeTable(changes));
  if (options.dryRun) return false;
  return options.yes || demandYes("Apply these changes?");
}

const WORDS: Readonly<Record<ServiceChange["action"], string>> = {
  add: "added",
  remove: "removed",
  replace: "gets a new machine",
  boot: "boots again",
  verify: "verified again",
  keep: "kept",
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
      ? "No service changes. Settings of the plan change."
      : formatTable(["LEVEL", "SERVICE", "WHAT", "BECAUSE"], rows, screen());
  return same === 0 ? table : `${table}\n${same} service${same === 1 ? "" : "s"} unchanged`;
}

function isChange({ action, was, differences }: ServiceChange): boolean {
  return action !== "keep" || was !== null || differences.length > 0;
}
