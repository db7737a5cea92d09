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

/** The same bound as that of the plan's key. */
const MOST_CONCURRENCY = 10_000;

export const command = "boot [plan]";
export const describe = "Boot a launch plan level by level, or resume a run";

export function builder(yargs: Argv) {
  return addWaitOption(
    addGivenOptions(
      addVariableOptions(
        yargs.positional("plan", { type: "string", describe: "Plan file, or folder with a launch.yaml" }),
      ),
    ),
  )
    .option("resume", {
      type: "string",
      requiresArg: true,
      describe: "Resume this run after its launcher died or was interrupted",
    })
    .option("name", {
      type: "string",
      requiresArg: true,
      describe: "Name of the run (default: the plan's name and four random characters)",
    })
    .option("concurrency", {
      type: "number",
      requiresArg: true,
      describe: "Number of programs that run at once; overrides the plan",
    })
    .option("dry-run", {
      type: "boolean",
      default: false,
      describe: "Check everything and print what would start; start nothing",
    })
    .option("verbose", VERBOSE)
    .example("$0 boot plans/hello", "Boot plans/hello/launch.yaml")
    .example("$0 boot shop.yaml --name shop --var greeting=Hi", "Name the run and set a variable")
    .example("$0 boot --resume shop", "Resume the run shop")
    .example("$0 boot shop.yaml --json >run.json", "For scripts: one JSON document on stdout");
}

export async function handler(options: BootArguments): Promise<number> {
  if (options.resume !== undefined) return resumeRun(options, options.resume);
  if (options.plan === undefined)
    throw new UsageError("no plan given: name a plan file, a folder with a launch.yaml, or --resume RUN");
  if (options.wait !== undefined)
    throw new UsageError("--wait requires --resume: no other launcher works on a new run");
  const overridden = concurrencyOf(options);
  const loaded = await loadPlan(options.plan, { ...ENVIRONMENT, given: readGivenOptions(options) });
  const plan = { ...loaded, ...overridden };
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

/** The value is stored with the run, so a resumed run uses it too. @throws UsageError */
function concurrencyOf({ concurrency }: BootArguments): Partial<Pick<LaunchPlan, "concurrency">> {
  if (concurrency === undefined) return {};
  if (concurrency < 1 || concurrency > MOST_CONCURRENCY)
    throw new UsageError(`--concurrency must be a whole number from 1 to ${MOST_CONCURRENCY}`);
  return { concurrency };
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
    throw new UsageError(`--resume uses the plan and variables of the run: leave out ${foreign.join(", ")}`);
  const wait = await readWaitOption(options);
  return show(options, (watch) => resume(run, { ...ENVIRONMENT, ...wait, ...watch }));
}

async function show(options: BootArguments, work: (watch: Watch) => Promise<BootResult>): Promise<number> {
  const { result, interrupted } = await withProgress(
    { ...options, afterwards: "The run can then be inspected, resumed or terminated." },
    work,
  );
  if (options.json) printJson("boot", result);
  else await printOutcome(result, interrupted);
  return exitCodeFor(result, interrupted);
}
