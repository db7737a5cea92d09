import type { Argv } from "yargs";

import { listLogs, readLogs, type LogChunk } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { onInterrupt } from "./interrupt.js";
import { printError, printJson } from "./output.js";
import { showRun } from "../library/records.js";

interface LogsArguments {
  readonly run: string;
  readonly service?: string;
  readonly follow: boolean;
  readonly json: boolean;
}

export const command = "logs <run> [service]";
export const describe = "Show the output of a run's programs";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .positional("service", { type: "string", describe: "Service or replica (default: all)" })
    .option("follow", {
      alias: "f",
      type: "boolean",
      default: false,
      describe: "Keep printing while a launcher works on the run",
    })
    .example("$0 logs shop web-2", "Show the output of the programs of web-2")
    .example("$0 logs shop --follow", "Follow all output while the run boots")
    .example("$0 logs shop --json", "Print paths, sizes and text of the log files");
}

export async function handler(options: LogsArguments): Promise<number> {
  const service = options.service === undefined ? {} : { service: String(options.service) };
  await checkService(options.run, service.service);
  const interruption = onInterrupt(() => undefined);
  const chunks = readLogs(options.run, {
    ...ENVIRONMENT,
    ...service,
    follow: options.follow && !options.json,
    signal: interruption.signal,
  });
  try {
    if (options.json) await printDocument(options.run, service, chunks);
    else await printLines(chunks);
  } finally {
    interruption.release();
  }
  return interruption.interrupted ? EXIT.interrupted : EXIT.fine;
}

async function checkService(run: string, service: string | undefined): Promise<void> {
  const names = (await showRun(run, ENVIRONMENT)).levels.flatMap((level) => level.services).map((one) => one.name);
  if (service === undefined || names.some((name) => name === service || name.replace(/-\d+$/, "") === service)) return;
  throw new UsageError(
    `run "${run}" has no service "${service}": ` +
      `its services are ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`,
  );
}

/** Prints each line with its service and step. Chunks of several files interleave, so incomplete lines are held back. */
async function printLines(chunks: AsyncIterable<LogChunk>): Promise<void> {
  const { LogLines } = await import("../display/logLines.js");
  const files = new Map<string, { readonly prefix: string; readonly lines: InstanceType<typeof LogLines> }>();
  const terminal = process.stdout.isTTY === true;
  const write = (prefix: string, lines: readonly string[]) => {
    if (lines.length > 0) process.stdout.write(lines.map((line) => `${prefix} | ${line}\n`).join(""));
  };
  for await (const chunk of chunks) {
    const file = files.get(chunk.path) ?? {
      prefix: `${chunk.service} ${chunk.step}`,
      lines: new LogLines({ terminal }),
    };
    files.set(chunk.path, file);
    write(file.prefix, file.lines.push(chunk.text));
  }
  for (const { prefix, lines } of files.values()) write(prefix, lines.end());
  if (files.size === 0) printError("No program has printed anything yet.");
}

async function printDocument(
  run: string,
  service: { service?: string },
  chunks: AsyncIterable<LogChunk>,
): Promise<void> {
  const texts = new Map<string, string>();
  for await (const chunk of chunks) texts.set(chunk.path, (texts.get(chunk.path) ?? "") + chunk.text);
  const files = await listLogs(run, { ...ENVIRONMENT, ...service });
  printJson("logs", { run, logs: files.map((file) => ({ ...file, text: texts.get(file.path) ?? "" })) });
}
