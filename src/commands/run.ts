import type { Argv } from "yargs";

import { resumeToEnd, runToEnd, type Keep, type Phase, type RunToEndResult } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { VERBOSE } from "./commonOptions.js";
import { EXIT, MONITOR_EXIT, UsageError } from "./exitCodes.js";
import { addGivenOptions, readGivenOptions, type GivenArguments } from "./givenOptions.js";
import { print, printJson, screen } from "./output.js";
import { withProgress, type Watch } from "./progress.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { loadPlan, parseDurationText } from "../library/plans.js";

interface RunArguments extends GivenArguments, VariableArguments, WaitArguments {
  readonly plan?: string;
  readonly resume?: string;
  readonly name?: string;
  readonly keep?: Keep;
  readonly deadline?: string[];
  readonly nagios: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

const PHASES: readonly Phase[] = ["boot", "execute", "report", "terminate"];

export const command = "run [plan]";
export const describe = "Boot a plan, execute what it is there for, bring the reports home, and take it down";

export function builder(yargs: Argv) {
  return addWaitOption(
    addGivenOptions(
      addVariableOptions(
        yargs.positional("plan", { type: "string", describe: "a plan file, or a folder with launch.yaml" }),
      ),
    ),
  )
    .option("resume", { type: "string", requiresArg: true, describe: "go on with a run whose launcher died" })
    .option("name", {
      type: "string",
      requiresArg: true,
      describe: "the run's name (default: the plan's, with a random ending)",
    })
    .option("keep", {
      choices: ["never", "always", "on-error", "on-success"] as const,
      requiresArg: true,
      describe: "when the machines stay, instead of what the plan says (never unless it does)",
    })
    .option("deadline", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "how long a phase may take: boot=10m, execute=1h, report=5m, terminate=10m",
    })
    .option("nagios", {
      type: "boolean",
      default: false,
      describe: "one line and the exit codes of a monitoring plugin",
    })
    .option("verbose", VERBOSE)
    .example("$0 run tests.yaml", "exit code 0 when all is done and well, 1 when not; nothing is left")
    .example(
      "$0 run tests.yaml --keep on-error --deadline execute=30m",
      "machines of a run that failed stay, to look at them",
    )
    .example("$0 run tests.yaml --replicas client=5 --set client.load=200", "five clients, each with another load");
}

export async function handler(options: RunArguments): Promise<number> {
  if (Array.isArray(options.name) || Array.isArray(options.keep))
    throw new UsageError("--name and --keep take one value");
  if (options.nagios && options.json) throw new UsageError("--nagios and --json: choose one of them");
  const work = options.resume === undefined ? await fromPlan(options) : await fromRun(options, options.resume);
  const quiet = options.nagios || options.json;
  const { result, interrupted } = await withProgress(
    {
      json: quiet,
      verbose: options.verbose,
      noun: "then the reports are brought home, and machines end unless they are to be kept",
    },
    work,
  );
  if (options.json) printJson("run", result);
  else if (!options.nagios) await printResult(result);
  else return printNagios(result);
  if (interrupted) return EXIT.interrupted;
  if (result.boot.cloudUnreachable || result.terminated?.cloudUnreachable === true) return EXIT.unreachable;
  return isWell(result) ? EXIT.fine : EXIT.notFine;
}

/** Machines that are left against all wishes are no success, whatever the tests said. */
function isWell({ success, terminated }: RunToEndResult): boolean {
  return success && (terminated === null || terminated.state === "terminated");
}

async function fromPlan(options: RunArguments): Promise<(watch: Watch) => Promise<RunToEndResult>> {
  if (options.plan === undefined)
    throw new UsageError("which plan? Give a plan file, a folder with launch.yaml, or --resume RUN");
  if (options.wait !== undefined) throw new UsageError("--wait goes with --resume: a new run is nobody else's");
  // The run keeps them: whoever carries on with it goes by them too.
  const deadlines = await readDeadlines(options.deadline ?? []);
  const loaded = await loadPlan(options.plan, { ...ENVIRONMENT, given: readGivenOptions(options) });
  const plan = { ...loaded, deadlines: { ...loaded.deadlines, ...deadlines } };
  const values = readVariableOptions(options);
  return (watch) =>
    runToEnd(plan, {
      ...ENVIRONMENT,
      ...values,
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.keep === undefined ? {} : { keep: options.keep }),
      ...watch,
    });
}

async function fromRun(options: RunArguments, run: string): Promise<(watch: Watch) => Promise<RunToEndResult>> {
  const foreign = [
    options.plan && "a plan",
    options.name && "--name",
    options.var && "--var",
    options.varFile && "--var-file",
    options.set && "--set",
    options.replicas && "--replicas",
    options.deadline && "--deadline",
  ].filter(Boolean);
  if (foreign.length > 0)
    throw new UsageError(`--resume goes on with the run's own plan: leave out ${foreign.join(", ")}`);
  const wait = await readWaitOption(options);
  return (watch) =>
    resumeToEnd(run, {
      ...ENVIRONMENT,
      ...wait,
      ...(options.keep === undefined ? {} : { keep: options.keep }),
      ...watch,
    });
}

/** @throws UsageError for what is no phase or no duration that a plan may say */
async function readDeadlines(given: readonly string[]): Promise<Partial<Record<Phase, number>>> {
  const deadlines: Partial<Record<Phase, number>> = {};
  const { LONGEST_DURATION_MS } = await import("../time/duration.js");
  for (const text of given) {
    const [phase = "", duration = "", ...more] = text.split("=");
    const ms = await parseDurationText(duration);
    const known = PHASES.find((one) => one === phase);
    if (known === undefined || !(ms > 0 && ms <= LONGEST_DURATION_MS) || more.length > 0)
      throw new UsageError(
        `--deadline ${text}: write a phase (${PHASES.join(", ")}), = and a duration of at most 24d, such as execute=30m`,
      );
    deadlines[known] = ms;
  }
  return deadlines;
}

async function printResult(result: RunToEndResult): Promise<void> {
  const { formatFailures } = await import("../display/failure.js");
  const { formatDuration } = await import("../display/time.js");
  const { boot, terminated, reports, run } = result;
  const failures = [...boot.failures, ...(terminated?.failures ?? [])];
  if (failures.length > 0) print(`\n${formatFailures(failures, screen())}`);
  if (boot.aborted !== null) print(`\nThe run was aborted by ${boot.aborted.origin}: ${boot.aborted.reason}`);
  const archives = reports.filter((report) => report.archive !== null).length;
  const home = archives === 0 ? "" : ` Reports: bootlevel reports ${run}`;
  print(
    `\n${run} ${result.success ? "has done all that it is there for" : `has failed (${boot.state})`}, in ${formatDuration(result.ms)}.${home}`,
  );
  print(machinesWords(result));
}

function machinesWords({ run, keep, terminated }: RunToEndResult): string {
  if (terminated === null)
    return `Its machines were kept (keep: ${keep}). Look at it: bootlevel status ${run}   End it: bootlevel terminate ${run}`;
  const count = `${terminated.terminated.length} machine${terminated.terminated.length === 1 ? "" : "s"} ended`;
  return terminated.state === "terminated"
    ? `Nothing is left of it: ${count}.`
    : `It is not terminated: ${count}, and there may be more. What is left: bootlevel show ${run}   End it: bootlevel terminate ${run}`;
}

async function printNagios(result: RunToEndResult): Promise<number> {
  const { nagiosRunLine } = await import("../display/nagiosRun.js");
  const { state, line } = nagiosRunLine({ ...result, well: isWell(result) });
  print(line);
  return MONITOR_EXIT[state];
}
