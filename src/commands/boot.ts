import type { Argv } from "yargs";

import { type BootResult, type LaunchPlan } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { VERBOSE } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { addGivenOptions, readGivenOptions, type GivenArguments } from "./givenOptions.js";
import { exitCodeFor, printOutcome } from "./outcome.js";
import { print, printJson } from "./output.js";
import { withProgress, type Watch } from "./progress.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { checkVariables, describePlan, loadPlan } from "../library/plans.js";
import { boot, resume } from "../library/runs.js";

interface BootArguments extends GivenArguments, VariableArguments, WaitArguments {
  readonly plan?: string;
  readonly resume?: string;
  readonly name?: string;
  readonly concurrency?: number;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly verbose: boolean;
}

export const command = "boot [plan]";
export const describe = "Boot a launch plan: level by level, each service verified; or carry on with a run";

export function builder(yargs: Argv) {
  return addWaitOption(
    addGivenOptions(
      addVariableOptions(
        yargs.positional("plan", { type: "string", describe: "a plan file, or a folder with launch.yaml" }),
      ),
    ),
  )
    .option("resume", {
      type: "string",
      requiresArg: true,
      describe:
        "carry on with a run whose launcher died or was interrupted, from the step that each service had reached",
    })
    .option("name", {
      type: "string",
      requiresArg: true,
      describe: "the run's name (default: the plan's, with a random ending)",
    })
    .option("concurrency", {
      type: "number",
      requiresArg: true,
      describe: "programs that run at once, instead of what the plan says",
    })
    .option("dry-run", {
      type: "boolean",
      default: false,
      describe: "check everything and say what would start; start nothing",
    })
    .option("verbose", VERBOSE)
    .example("$0 boot plans/hello", "boot the plan in plans/hello/launch.yaml")
    .example("$0 boot shop.yaml --name shop --var greeting=Hi", "a run named shop, with a variable set")
    .example("$0 boot --resume shop", "carry on with the run shop")
    .example("$0 boot shop.yaml --json >run.json", "from a script: one document on stdout");
}

export async function handler(options: BootArguments): Promise<number> {
  if (Array.isArray(options.name)) throw new UsageError("--name was given twice");
  if (options.resume !== undefined) return resumeRun(options, options.resume);
  if (options.plan === undefined)
    throw new UsageError("which plan? Give a plan file, a folder with launch.yaml, or --resume RUN");
  if (options.wait !== undefined) throw new UsageError("--wait goes with --resume: a new run is nobody else's");
  const plan = withConcurrency(
    await loadPlan(options.plan, { ...ENVIRONMENT, given: readGivenOptions(options) }),
    options.concurrency,
  );
  const values = readVariableOptions(options);
  if (options.dryRun) {
    await checkVariables(plan, { ...ENVIRONMENT, ...values });
    const description = await describePlan(plan);
    const { formatDescription } = await import("./description.js");
    if (options.json) printJson("boot", { dryRun: true, plan: description });
    else print(`${formatDescription(description)}\n\nNothing was started (--dry-run).`);
    return EXIT.fine;
  }
  return show(options, (watch) =>
    boot(plan, { ...ENVIRONMENT, ...values, ...(options.name === undefined ? {} : { name: options.name }), ...watch }),
  );
}

/** The run keeps it: whoever carries on with it goes by it too. */
function withConcurrency(plan: LaunchPlan, concurrency: number | undefined): LaunchPlan {
  if (concurrency === undefined) return plan;
  if (!Number.isSafeInteger(concurrency) || concurrency < 1 || concurrency > 10_000)
    throw new UsageError("--concurrency takes a whole number from 1 to 10000");
  return { ...plan, concurrency };
}

async function resumeRun(options: BootArguments, run: string): Promise<number> {
  const foreign = [
    options.plan && "a plan",
    options.name && "--name",
    options.concurrency !== undefined && "--concurrency",
    options.var && "--var",
    options.set && "--set",
    options.replicas && "--replicas",
    options.varFile && "--var-file",
    options.dryRun && "--dry-run",
  ].filter(Boolean);
  if (foreign.length > 0)
    throw new UsageError(`--resume goes on with the run's own plan and variables: leave out ${foreign.join(", ")}`);
  const wait = await readWaitOption(options);
  return show(options, (watch) => resume(run, { ...ENVIRONMENT, ...wait, ...watch }));
}

async function show(options: BootArguments, work: (watch: Watch) => Promise<BootResult>): Promise<number> {
  const { result, interrupted } = await withProgress(
    { ...options, noun: "the run can be looked at, carried on and terminated afterwards" },
    work,
  );
  if (options.json) printJson("boot", result);
  else await printOutcome(result, interrupted);
  return exitCodeFor(result, interrupted);
}
