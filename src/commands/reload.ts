import type { Argv } from "yargs";

import {
  givenOf,
  type Follower,
  type PlanDifference,
  type ReloadResult,
  type ServiceChange,
} from "../library/index.js";
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
      describe: "Skip the terminate programs of replaced and removed services",
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
      confirm: (difference) => confirmChanges(options, difference),
    }),
  );
  if (options.json) printJson("reload", result);
  else if (result.applied) await printOutcome(result, interrupted);
  else print(differs(result) ? "Nothing was changed." : unchangedText(result));
  if (result.applied) return exitCodeFor(result, interrupted);
  if (options.dryRun) return EXIT.fine;
  return differs(result) ? EXIT.wrong : result.state === "ready" ? EXIT.fine : EXIT.notFine;
}

/** A reload that failed or was killed has stored its plan already, so a repair completes it. */
function unchangedText({ run, state }: ReloadResult): string {
  if (state === "ready") return `${run} already follows this plan: nothing to change.`;
  return `${run} already follows this plan, but is not ready. Repair it: bootlevel repair ${run}`;
}

async function confirmChanges(options: ReloadArguments, difference: PlanDifference): Promise<boolean> {
  const say = options.json ? printError : print;
  if (!options.json || !options.dryRun) say(await differenceText(difference));
  if (options.dryRun) return false;
  return options.yes || demandYes("Apply these changes?");
}

const WORDS: Readonly<Record<ServiceChange["action"], string>> = {
  add: "added",
  remove: "removed",
  replace: "gets a new machine",
  boot: "boots again",
  verify: "verified again",
  execute: "executes again",
  keep: "kept",
};

/** What services may do that only follow others. */
const FOLLOWING: Readonly<Record<Follower["stage"], string>> = {
  discard: "may get a new machine",
  replace: "may get a new machine",
  launch: "may get a new machine",
  boot: "may boot again",
  verify: "may be verified again",
  execute: "may execute again",
};

async function differenceText({ changes, settings, followers }: PlanDifference): Promise<string> {
  const { formatTable } = await import("../display/table.js");
  const shown = changes.filter(isChange);
  const levels = new Map(changes.map(({ spec, levelName }) => [spec, levelName]));
  const rows = [
    ...shown.map(({ levelName, name, was, action, differences }) => [
      levelName,
      was === null ? name : `${name} (was ${was})`,
      WORDS[action],
      differences.join(", "),
    ]),
    ...followers.map(({ service, stage, because }) => [
      levels.get(service) ?? "",
      service,
      FOLLOWING[stage],
      `uses ${because.join(", ")}`,
    ]),
  ];
  const same = changes.length - shown.length;
  return [
    rows.length === 0 ? "No service changes." : formatTable(["LEVEL", "SERVICE", "WHAT", "BECAUSE"], rows, screen()),
    ...settings.map((setting) => `plan: ${setting}`),
    ...(same === 0 ? [] : [`${same} service${same === 1 ? "" : "s"} unchanged`]),
  ].join("\n");
}

/** Whether the two versions differ in anything: a service, or a setting of the plan. */
function differs({ changes, settings }: PlanDifference): boolean {
  return changes.some(isChange) || settings.length > 0;
}

function isChange({ action, was, differences }: ServiceChange): boolean {
  return action !== "keep" || was !== null || differences.length > 0;
}
