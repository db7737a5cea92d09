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
  const { outputLines } = await import("../display/terminalText.js");
  const unfinished = new Map<string, { prefix: string; text: string }>();
  let any = false;
  const write = (prefix: string, line: string) => process.stdout.write(`${prefix} | ${outputLines(line)[0] ?? ""}\n`);
  for await (const chunk of chunks) {
    any = true;
    const prefix = `${chunk.service} ${chunk.step}`;
    const lines = ((unfinished.get(chunk.path)?.text ?? "") + chunk.text).split("\n");
    unfinished.set(chunk.path, { prefix, text: lines.pop() ?? "" });
    for (const line of lines) write(prefix, line);
  }
  for (const { prefix, text } of unfinished.values()) if (text !== "") write(prefix, text);
  if (!any) printError("No program has printed anything yet.");
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
