#!/usr/bin/env node
/** Wires commands, options and exit codes; nothing else. */
import { readFileSync } from "node:fs";

import yargs, { type Argv } from "yargs";
import { hideBin } from "yargs/helpers";

import * as abort from "./commands/abort.js";
import * as analyze from "./commands/analyze.js";
import * as boot from "./commands/boot.js";
import * as clean from "./commands/clean.js";
import { ENVIRONMENT } from "./commands/environment.js";
import * as events from "./commands/events.js";
import { EXIT, isGaveUpError, UsageError } from "./commands/exitCodes.js";
import * as history from "./commands/history.js";
import * as image from "./commands/image.js";
import * as list from "./commands/list.js";
import * as logs from "./commands/logs.js";
import { tolerateClosedPipes } from "./commands/output.js";
import * as reboot from "./commands/reboot.js";
import * as rehearse from "./commands/rehearse.js";
import * as reload from "./commands/reload.js";
import * as repair from "./commands/repair.js";
import { reportError } from "./commands/reportError.js";
import * as reports from "./commands/reports.js";
import * as rerun from "./commands/rerun.js";
import * as run from "./commands/run.js";
import * as show from "./commands/show.js";
import * as ssh from "./commands/ssh.js";
import * as status from "./commands/status.js";
import * as terminate from "./commands/terminate.js";
import * as validate from "./commands/validate.js";
import { boundHeapGrowth } from "./commands/heapGrowth.js";
import { limitHandshakes } from "./library/index.js";
import { packageFile } from "./files/packageFile.js";
import { runNames } from "./library/records.js";

const commands = [
  boot,
  run,
  abort,
  status,
  repair,
  rerun,
  reboot,
  reload,
  terminate,
  list,
  show,
  history,
  logs,
  ssh,
  reports,
  events,
  analyze,
  clean,
  validate,
  rehearse,
  image,
] as const;

async function main(words: readonly string[]): Promise<number> {
  let code: number = EXIT.fine;
  const parser = yargs([...words])
    .scriptName("bootlevel")
    .locale("en")
    .usage("$0 <command>\n\nBoots systems of many machines from a launch plan, and looks after them.")
    .option("json", {
      type: "boolean",
      default: false,
      describe: "print one JSON document on stdout, nothing else there",
    })
    .demandCommand(1, "which command? bootlevel --help lists them")
    .recommendCommands()
    .strict()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .version(version())
    .alias({ help: "h", version: "v" })
    .completion("completion-script", false, (_current: string, argv: { _?: (string | number)[] }) => completeRun(argv))
    .example("$0 boot plans/hello", "boot a plan")
    .example("$0 status hello-x4k2", "how it is now")
    .example("$0 terminate hello-x4k2", "take it down")
    .epilogue(
      "Exit codes: 0 fine, 1 the run is not, 2 the plan or the call is wrong, 3 the run is busy elsewhere,\n4 a cloud cannot be reached, 130 interrupted. State: $BOOTLEVEL_HOME, default ~/.bootlevel.",
    )
    .parserConfiguration({ "populate--": true })
    .exitProcess(false)
    .fail((message, error) => {
      // yargs says what is wrong with the call in `message` or by an error of its own, and hands on what a command
      // threw in `error`.
      if (error instanceof Error && error.name !== "YError") throw error;
      throw new UsageError(message || error.message, knownWords(words));
    });
  parser.command(
    "completion",
    "Print a completion script for bash or zsh",
    (words) => words.example("$0 completion >>~/.bashrc", "complete commands, options and names of runs"),
    () => {
      parser.showCompletionScript();
    },
  );
  for (const { command, describe, builder, handler } of commands) {
    parser.command(command, describe, builder as never, async (options: never) => {
      // Only a command for a machine has words of its own.
      const { "--": rest = [] } = options as { "--"?: (string | number)[] };
      if (rest.length > 0 && command !== ssh.command) throw new UsageError(`Unknown arguments: ${rest.join(", ")}`);
      code = await (handler as (options: never) => Promise<number>)(options);
    });
  }
  await parser.parseAsync();
  return code;
}

/** The options of the command that was called, and the commands: what a misspelt word could have been. */
function knownWords(words: readonly string[]): string[] {
  const names = ["json", "help", "version"];
  // A builder only chains calls, so a stand-in that listens learns its options; yargs itself keeps them private.
  const listener: unknown = new Proxy(
    {},
    {
      get: (_target, method) => (name: unknown) => {
        if (method === "option") names.push(String(name));
        return listener;
      },
    },
  );
  const called = commands.find(({ command }) => words.includes(nameOf(command)));
  called?.builder(listener as Argv);
  return names;
}

function nameOf(command: string): string {
  return command.split(" ", 1)[0] as string;
}

async function completeRun(argv: { _?: (string | number)[] }): Promise<string[]> {
  const called = commands.find(({ command }) => nameOf(command) === argv._?.[1]);
  const takesRun = called !== undefined && /[<[]run/.test(called.command);
  return takesRun ? runNames(ENVIRONMENT) : [...commands.map(({ command }) => nameOf(command)), "completion"];
}

function version(): string {
  const text = readFileSync(packageFile("package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** What the environment says of this computer: how much it can do at once is no matter of a plan. @throws UsageError */
function takeLimits(): void {
  const { BOOTLEVEL_HANDSHAKES: handshakes } = ENVIRONMENT.env;
  if (handshakes === undefined || handshakes === "") return;
  try {
    limitHandshakes(/^[0-9]{1,4}$/.test(handshakes) ? Number(handshakes) : NaN);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`BOOTLEVEL_HANDSHAKES must be a whole number from 1 to 1000, not "${handshakes}"`);
  }
}

tolerateClosedPipes();
const words = hideBin(process.argv);
try {
  boundHeapGrowth();
  takeLimits();
  process.exitCode = await main(words);
} catch (error) {
  process.exitCode = await reportError(
    error,
    words,
    commands.map(({ command }) => nameOf(command)),
  );
  if (isGaveUpError(error)) process.exit(); // nothing else would end what is still waited for
}
