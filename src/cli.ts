#!/usr/bin/env node
/** Wires commands, options and exit codes; nothing else. */
import { readFileSync } from "node:fs";

import yargs from "yargs";
import { hideBin } from "yargs/helpers";

import * as boot from "./commands/boot.js";
import * as events from "./commands/events.js";
import { EXIT, UsageError, exitCodeOf } from "./commands/exitCodes.js";
import * as list from "./commands/list.js";
import * as logs from "./commands/logs.js";
import { tolerateClosedPipes } from "./commands/output.js";
import { reportError } from "./commands/reportError.js";
import * as show from "./commands/show.js";
import * as status from "./commands/status.js";
import * as terminate from "./commands/terminate.js";
import * as validate from "./commands/validate.js";
import { runNames } from "./index.js";
import { packageFile } from "./packageFile.js";

const commands = [boot, status, terminate, list, show, logs, events, validate] as const;

async function main(words: readonly string[]): Promise<number> {
  let code: number = EXIT.fine;
  const parser = yargs([...words])
    .scriptName("bootlevel")
    .locale("en")
    .usage("$0 <command>\n\nBoots systems of many machines from a launch plan, and looks after them.")
    .option("json", { type: "boolean", default: false, describe: "print one JSON document on stdout, nothing else there" })
    .demandCommand(1, "which command? bootlevel --help lists them")
    .recommendCommands()
    .strict()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .version(version())
    .alias({ help: "h", version: "v" })
    .completion("completion", "Print a completion script for bash or zsh: bootlevel completion >>~/.bashrc", (_current, argv: { _?: (string | number)[] }) => completeRun(argv))
    .example("$0 boot plans/hello", "boot a plan")
    .example("$0 status hello-x4k2", "how it is now")
    .example("$0 terminate hello-x4k2", "take it down")
    .epilogue("Exit codes: 0 fine, 1 the run is not, 2 the plan or the call is wrong, 3 the run is busy elsewhere,\n4 a cloud cannot be reached, 130 interrupted. State: $BOOTLEVEL_HOME, default ~/.bootlevel.")
    .exitProcess(false)
    .fail((message, error) => {
      // yargs says what is wrong with the call in `message`, and hands on what a command threw in `error`.
      throw error ?? new UsageError(message);
    });
  for (const { command, describe, builder, handler } of commands) {
    parser.command(command, describe, builder as never, async (options: never) => { code = await (handler as (options: never) => Promise<number>)(options); });
  }
  await parser.parseAsync();
  return code;
}

async function completeRun(argv: { _?: (string | number)[] }): Promise<string[]> {
  const takesRun = ["status", "terminate", "show", "logs", "events"].includes(String(argv._?.[1] ?? ""));
  return takesRun ? runNames() : commands.map(({ command }) => command.split(" ", 1)[0] as string);
}

function version(): string {
  const text = readFileSync(packageFile("package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

tolerateClosedPipes();
const words = hideBin(process.argv);
try {
  process.exitCode = await main(words);
} catch (error) {
  reportError(error, words);
  process.exitCode = exitCodeOf(error);
}
