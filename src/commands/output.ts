/** Output of commands: one document with `--json`, otherwise tables and sentences. */
import { chooseMode } from "../display/mode.js";

/** Version of every `--json` document; incremented by incompatible changes. */
const JSON_VERSION = 1;

export interface Screen {
  readonly columns: number;
  readonly color: boolean;
}

/** Size and colours of the terminal; 200 columns if the output goes to a file or a pipe. */
export function screen(): Screen {
  const { color } = chooseMode({ stream: process.stdout, env: process.env, json: false });
  return { columns: process.stdout.isTTY ? process.stdout.columns || 80 : 200, color };
}

/** Prints the JSON document of a command. */
export function printJson(command: string, document: object): void {
  process.stdout.write(`${JSON.stringify({ version: JSON_VERSION, command, ...document }, null, 2)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Ignores closed pipes: a reader that goes away (`| head`) must not end a boot. */
export function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
