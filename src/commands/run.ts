import type { Argv } from "yargs";

import { resumeToEnd, runToEnd, type Keep, type OnFailure, type Phase, type RunToEndResult } from "../library/index.js";
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
  readonly onFailure?: OnFailure;
  readonly deadline?: string[];
  readonly nagios: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

const PHASES: readonly Phase[] = ["boot", "execute", "report", "terminate"];

export const command = "run [plan]";
export const describe = "Boot a plan, run its execute programs, collect reports, and terminate it";

export function builder(yargs: Argv) {
  return addWaitOption(
    addGivenOptions(
      addVariableOptions(
        yargs.positional("plan", { type: "string", describe: "Plan file, or folder with a launch.yaml" }),
      ),
    ),
  )
    .option("resume", { type: "string", requiresArg: true, describe: "Resume this run after its launcher died" })
    .option("name", {
      type: "string",
      requiresArg: true,
      describe: "Name of the run (default: the plan's name and four random characters)",
    })
    .option("keep", {
      choices: ["never", "always", "on-error", "on-success"] as const,
      requiresArg: true,
      describe: "When to keep the machines; overrides the plan (default: never)",
    })
    .option("on-failure", {
      choices: ["abort", "settle"] as const,
      requiresArg: true,
      describe:
        "When a service fails: abort ends everything in progress, settle lets it end by itself; overrides the plan " +
        "(default: abort)",
    })
    .option("deadline", {
      type: "string",
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: "Time limit of a phase, such as boot=10m, execute=1h, report=5m or terminate=10m; repeatable",
    })
    .option("nagios", {
      type: "boolean",
      default: false,
      describe: "Print one line and use the exit codes of a monitoring plugin",
    })
    .option("verbose", VERBOSE)
    .example("$0 run tests.yaml", "Exit code 0 on success, 1 on failure; no machine is left")
    .example(
      "$0 run tests.yaml --keep on-error --deadline execute=30m",
      "Keep the machines of a failed run for inspection",
    )
    .example("$0 run tests.yaml --replicas client=5 --set client.load=200", "Five clients, with an input set for them");
}

export async function handler(options: RunArguments): Promise<number> {
  if (options.nagios && options.json) throw new UsageError("--nagios and --json exclude each other: choose one");
  const work = options.resume === undefined ? await fromPlan(options) : await fromRun(options, options.resume);
  const { result, interrupted } = await withProgress(
    {
      json: options.json,
      nagios: options.nagios,
      verbose: options.verbose,
      stopping: "the run is aborted and its programs are ended",
      afterwards: "Reports are then collected, and machines end unless they are to be kept.",
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

/** A run whose machines should have ended and did not is no success, even if its execute programs passed. */
function isWell({ success, terminated }: RunToEndResult): boolean {
  return success && (terminated === null || terminated.state === "terminated");
}

async function fromPlan(options: RunArguments): Promise<(watch: Watch) => Promise<RunToEndResult>> {
  if (options.plan === undefined)
    throw new UsageError("no plan given: name a plan file, a folder with a launch.yaml, or --resume RUN");
  if (options.wait !== undefined)
    throw new UsageError("--wait requires --resume: no other launcher works on a new run");
  // Deadlines are stored with the run, so a resumed run uses them too.
  const deadlines = await readDeadlines(options.deadline ?? []);
  const loaded = await loadPlan(options.plan, { ...ENVIRONMENT, given: readGivenOptions(options) });
  const plan = {
    ...loaded,
    onFailure: options.onFailure ?? loaded.onFailure,
    deadlines: { ...loaded.deadlines, ...deadlines },
  };
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
    options.onFailure && "--on-failure",
    options.deadline && "--deadline",
  ].filter(Boolean);
  if (foreign.length > 0) throw new UsageError(`--resume uses the plan of the run: leave out ${foreign.join(", ")}`);
  const wait = await readWaitOption(options);
  return (watch) =>
    resumeToEnd(run, {
      ...ENVIRONMENT,
      ...wait,
      ...(options.keep === undefined ? {} : { keep: options.keep }),
      ...watch,
    });
}

/** @throws UsageError for an unknown phase, or a duration that a plan could not hold */
async function readDeadlines(given: readonly string[]): Promise<Partial<Record<Phase, number>>> {
  const deadlines: Partial<Record<Phase, number>> = {};
  const { LONGEST_DURATION_MS } = await import("../time/duration.js");
  for (const text of given) {
    const [phase = "", duration = "", ...more] = text.split("=");
    const ms = await parseDurationText(duration);
    const known = PHASES.find((one) => one === phase);
    if (known === undefined || !(ms > 0 && ms <= LONGEST_DURATION_MS) || more.length > 0)
      throw new UsageError(
        `--deadline ${text} is not PHASE=TIME: use one of ${PHASES.join(", ")} and at most 24d, such as execute=30m`,
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
  const hint = archives === 0 ? "" : ` Reports: bootlevel reports ${run}`;
  const state = boot.state === "failed" ? "" : ` (${boot.state})`;
  print(`\nRun ${run} ${result.success ? "succeeded" : `failed${state}`} in ${formatDuration(result.ms)}.${hint}`);
  print(await machinesWords(result));
}

async function machinesWords({ run, keep, terminated }: RunToEndResult): Promise<string> {
  if (terminated === null)
    return (
      `Its machines were kept (keep: ${keep}). ` +
      `Check it: bootlevel status ${run}   Terminate it: bootlevel terminate ${run}`
    );
  const { endedWords } = await import("../display/endedMachines.js");
  const count = endedWords(terminated.terminated);
  return terminated.state === "terminated"
    ? `No machine is left: ${count}.`
    : `It is not terminated: ${count}, others may still run. ` +
        `What is left: bootlevel show ${run}   Terminate it: bootlevel terminate ${run}`;
}

async function printNagios(result: RunToEndResult): Promise<number> {
  const { nagiosRunLine } = await import("../display/nagiosRun.js");
  const { state, line } = nagiosRunLine({ ...result, well: isWell(result) });
  print(line);
  return MONITOR_EXIT[state];
}
