#!/usr/bin/env node
/** Entry point: wires commands, options and exit codes. */
import { readFileSync } from "node:fs";

import yargs from "yargs";
import { hideBin } from "yargs/helpers";

import * as abort from "./commands/abort.js";
import * as analyze from "./commands/analyze.js";
import * as boot from "./commands/boot.js";
import { checkedWords, optionsOf, type KnownOption } from "./commands/commandLine.js";
import * as clean from "./commands/clean.js";
import { nameOf } from "./commands/commandWords.js";
import * as completion from "./commands/completion.js";
import { ENVIRONMENT } from "./commands/environment.js";
import * as events from "./commands/events.js";
import { endProcess } from "./commands/endProcess.js";
import { EXIT, isGaveUpError, MONITOR_EXIT, UsageError } from "./commands/exitCodes.js";
import * as history from "./commands/history.js";
import * as image from "./commands/image.js";
import * as list from "./commands/list.js";
import * as logs from "./commands/logs.js";
import { surviveDeadTerminals } from "./commands/deadTerminals.js";
import { isOutputLost, surviveOutputErrors } from "./commands/output.js";
import * as readOutput from "./commands/readOutput.js";
import * as reboot from "./commands/reboot.js";
import * as rehearse from "./commands/rehearse.js";
import * as reload from "./commands/reload.js";
import * as repair from "./commands/repair.js";
import { asksFor, reportError } from "./commands/reportError.js";
import * as reports from "./commands/reports.js";
import * as rerun from "./commands/rerun.js";
import * as run from "./commands/run.js";
import * as set from "./commands/set.js";
import * as show from "./commands/show.js";
import * as ssh from "./commands/ssh.js";
import * as status from "./commands/status.js";
import * as terminate from "./commands/terminate.js";
import { reportUnexpected } from "./commands/unexpected.js";
import * as validate from "./commands/validate.js";
import { boundHeapGrowth } from "./commands/heapGrowth.js";
import { limitHandshakes } from "./library/index.js";
import { packageFile } from "./files/packageFile.js";

/** In the order of `--help`: getting started, day-to-day work, inspection, advanced use. */
const commands = [
  validate,
  boot,
  run,
  status,
  terminate,

  list,
  repair,
  rerun,
  reload,
  reboot,
  abort,
  set,

  show,
  readOutput,
  logs,
  ssh,
  reports,
  history,
  events,
  analyze,

  rehearse,
  image,
  clean,
  completion,
] as const;

async function main(given: readonly string[]): Promise<number> {
  let code: number = EXIT.fine;
  const words = checkedWords(given, knownOptions(given));
  const parser = yargs([...words])
    .scriptName("bootlevel")
    .locale("en")
    .usage(
      "$0 <command>\n\nBoots systems of many machines from a launch plan, and checks, repairs and terminates them.",
    )
    .option("json", {
      type: "boolean",
      default: false,
      describe: "Print one JSON document on stdout and nothing else",
    })
    .demandCommand(1, "no command given: bootlevel --help lists all commands")
    .recommendCommands()
    .strict()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .version(version())
    .alias({ help: "h", version: "v" })
    .example("$0 validate plans/hello", "Check a plan")
    .example("$0 boot plans/hello --name hello", "Boot it as a run named hello")
    .example("$0 status hello", "Check the health of the run")
    .example("$0 logs hello", "Read the output of its programs")
    .example("$0 terminate hello", "Take it down")
    .epilogue(
      [
        "Commands are ordered by use: getting started, day-to-day, inspection, advanced.",
        "Exit codes: 0 success, 1 the run is not healthy, 2 the plan or the command line is wrong,",
        "3 another launcher works on the run, 4 a cloud cannot be reached, 130 interrupted.",
        "State is kept in $BOOTLEVEL_HOME (default ~/.bootlevel).",
      ].join("\n"),
    )
    .parserConfiguration({
      "populate--": true,
      // Words stay as they are: `ssh shop db -- sleep 1e3` is not `sleep 1000`, and `--yes.x` is not `--yes`.
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
    })
    .exitProcess(false)
    .fail((message, error) => {
      // yargs reports a usage mistake in `message` or as a YError, and passes errors of a command on in `error`.
      if (error instanceof Error && error.name !== "YError") throw error;
      throw new UsageError(message || error.message, knownWords(words));
    });
  for (const { command, describe, builder, handler } of commands) {
    parser.command(command, describe, builder as never, async (options: never) => {
      // Only these take words after `--`: a command of a machine, and a value that begins with a dash.
      const { "--": rest = [] } = options as { "--"?: (string | number)[] };
      if (rest.length > 0 && command !== ssh.command && command !== set.command)
        throw new UsageError(`Unknown arguments: ${rest.join(", ")}`);
      code = await (handler as (options: never) => Promise<number>)(options);
    });
  }
  await parser.parseAsync();
  return code;
}

/** The options of the called command. */
function knownOptions(words: readonly string[]): Map<string, KnownOption> {
  const called = words.find((word) => commands.some((command) => nameOf(command) === word));
  return optionsOf(commands.find((command) => nameOf(command) === called)?.builder);
}

/** Candidates for correcting a misspelt option. */
function knownWords(words: readonly string[]): string[] {
  return [...new Set([...knownOptions(words).values()].map(({ name }) => name))];
}

function version(): string {
  const text = readFileSync(packageFile("package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Reads the limits of this computer from the environment; they do not belong in a plan. @throws UsageError */
function applyLimits(): void {
  const { BOOTLEVEL_HANDSHAKES: handshakes } = ENVIRONMENT.env;
  if (handshakes === undefined || handshakes === "") return;
  try {
    limitHandshakes(/^[0-9]{1,4}$/.test(handshakes) ? Number(handshakes) : NaN);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`BOOTLEVEL_HANDSHAKES must be a whole number from 1 to 1000, not "${handshakes}"`);
  }
}

surviveOutputErrors();
const words = hideBin(process.argv);
// Standard output may fail as late as in its last write. Then a success is no success for whoever reads it.
process.on("exit", () => {
  if (process.exitCode === EXIT.fine && isOutputLost())
    process.exitCode = asksFor("nagios", words) ? MONITOR_EXIT.UNKNOWN : EXIT.notFine;
});
surviveDeadTerminals();
reportUnexpected(EXIT.notFine);
try {
  boundHeapGrowth();
  applyLimits();
  await endProcess((await completion.answerShell(commands, words)) ? EXIT.fine : await main(words));
} catch (error) {
  const code = await reportError(
    error,
    words,
    commands.map((command) => nameOf(command)),
  );
  // Work that was given up goes on, and is not waited for.
  await endProcess(code, isGaveUpError(error) ? 0 : undefined);
}
