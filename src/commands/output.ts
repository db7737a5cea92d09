/** Where commands print: one document with `--json`, tables and sentences for people otherwise. */
import { chooseMode } from "../display/mode.js";

/** Every `--json` document begins with these; a change that could break a reader raises the number. */
const JSON_VERSION = 1;

export interface Screen {
  readonly columns: number;
  readonly color: boolean;
}

/** The operator's screen, or a wide one when the output goes to a file or a pipe. */
export function screen(): Screen {
  const { color } = chooseMode({ stream: process.stdout, env: process.env, json: false });
  return { columns: process.stdout.isTTY ? process.stdout.columns || 80 : 200, color };
}

/** Prints the command's one document. */
export function printJson(command: string, document: object): void {
  process.stdout.write(`${JSON.stringify({ version: JSON_VERSION, command, ...document }, null, 2)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A reader that goes away (`| head`) must not end a boot: what nobody reads is not written. */
export function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
