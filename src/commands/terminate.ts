import type { Argv } from "yargs";

import { type RunSummary, type TerminateResult } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { VERBOSE, YES } from "./commonOptions.js";
import { EXIT, exitCodeOf, UsageError } from "./exitCodes.js";
import { exitCodeFor } from "./outcome.js";
import { print, printError, printJson, screen } from "./output.js";
import { confirm, withProgress } from "./progress.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";
import { terminate } from "../library/runs.js";
import { findRun } from "../library/records.js";

interface TerminateArguments extends WaitArguments {
  readonly run: string[];
  readonly keep: boolean;
  readonly reports: boolean;
  readonly yes: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

export const command = "terminate <run..>";
export const describe = "Take runs down, last level first";

export function builder(yargs: Argv) {
  return addWaitOption(
    yargs.positional("run", { type: "string", array: true, demandOption: true, describe: "Names or numbers of runs" }),
  )
    .option("yes", YES)
    .option("force", { type: "boolean", default: false, describe: "Skip the terminate programs" })
    .option("keep", {
      type: "boolean",
      default: false,
      describe: "Run the terminate programs but keep the machines",
    })
    .option("reports", {
      type: "boolean",
      default: true,
      describe: "Collect the reports of services first (--no-reports: skip)",
    })
    .option("verbose", VERBOSE)
    .example("$0 terminate shop", "Ask on a terminal, then terminate the run shop")
    .example("$0 terminate shop test-2 --yes", "Terminate two runs without asking");
}

export async function handler(options: TerminateArguments): Promise<number> {
  const runs = [...new Set(options.run.map(String))];
  if (options.keep && options.force)
    throw new UsageError("--keep only runs the terminate programs and --force skips them: choose one");
  // Reject unknown names before anything is terminated.
  const found = await Promise.all(runs.map((run) => findRun(run, ENVIRONMENT)));
  if (!options.yes && !options.json && !(await confirm(question(found, runs)))) {
    print("Nothing was terminated.");
    return EXIT.wrong;
  }
  const results: (TerminateResult | { run: string; error: string })[] = [];
  let worst: number = EXIT.fine;
  const note = (code: number) => {
    worst = Math.max(worst, code);
  };
  for (const run of runs) {
    try {
      const result = await endRun(run, options);
      results.push(result);
      note(exitCode(result));
      if (result.state === "interrupted" && !result.kept) break;
    } catch (error) {
      if (runs.length === 1) throw error;
      if (options.json) results.push({ run, error: (error as Error).message });
      else printError(`bootlevel: ${run}: ${(error as Error).message}`);
      note(exitCodeOf(error));
    }
  }
  if (options.json) printJson("terminate", { runs: results });
  return worst;
}

async function endRun(run: string, options: TerminateArguments): Promise<TerminateResult> {
  const wait = await readWaitOption(options);
  const { result } = await withProgress({ ...options, afterwards: "Run terminate again to continue." }, (watch) =>
    terminate(run, {
      ...ENVIRONMENT,
      ...wait,
      force: options.force,
      keep: options.keep,
      reports: options.reports,
      ...watch,
    }),
  );
  if (!options.json) await printEnd(result);
  return result;
}

async function printEnd(result: TerminateResult): Promise<void> {
  const { formatFailures } = await import("../display/failure.js");
  if (result.failures.length > 0) print(`\n${formatFailures(result.failures, screen())}`);
  const { endedWords } = await import("../display/endedMachines.js");
  const machines = endedWords(result.terminated);
  if (result.state === "terminated") return print(`\n${result.run} is terminated: ${machines}.`);
  if (result.kept)
    return print(
      `\nThe terminate programs of ${result.run} have run, its machines are kept. ` +
        `End them: bootlevel terminate ${result.run}   Boot it again: bootlevel reboot ${result.run}`,
    );
  print(
    `\n${result.run} is not terminated: ${machines}, the others were kept. What is left: bootlevel show ${result.run}`,
  );
}

function exitCode(result: TerminateResult): number {
  // Keeping the machines was requested, so it is a success.
  return result.kept ? EXIT.fine : exitCodeFor(result, result.state === "interrupted");
}

function question(runs: readonly RunSummary[], names: readonly string[]): string {
  const services = runs.filter((run) => run.state !== "terminated").reduce((sum, run) => sum + run.services, 0);
  return `Terminate ${names.join(", ")} (${services} service${services === 1 ? "" : "s"})?`;
}
