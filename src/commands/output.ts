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

/** A standard stream that failed, and why. */
const failed = new Map<NodeJS.WriteStream, NodeJS.ErrnoException>();

/**
 * An error of standard output or standard error ends the printing there and never the work: a reader went away (EPIPE),
 * the terminal was closed (EIO), a disk is full (ENOSPC). Later writes to that stream do nothing.
 */
export function surviveOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    const note = (error: NodeJS.ErrnoException): void => {
      if (failed.has(stream)) return;
      failed.set(stream, error);
      if (stream === process.stdout && !isClosedPipe(error))
        printError(`bootlevel: nothing more is printed on standard output: ${error.message}`);
    };
    stream.on("error", note);
    stream.write = (...args: unknown[]): boolean => {
      if (!failed.has(stream)) {
        try {
          return write(...args);
        } catch (error) {
          note(error as NodeJS.ErrnoException); // files are written at once
        }
      }
      const written = args.findLast((arg) => typeof arg === "function") as (() => void) | undefined;
      if (written !== undefined) process.nextTick(written);
      return true;
    };
  }
}

/** Whether standard output takes nothing any more. */
export function isOutputOver(): boolean {
  return failed.has(process.stdout);
}

/** Whether something on standard output was lost. A reader that went away has what it wanted. */
export function isOutputLost(): boolean {
  const error = failed.get(process.stdout);
  return error !== undefined && !isClosedPipe(error);
}

function isClosedPipe({ code }: NodeJS.ErrnoException): boolean {
  return code === "EPIPE";
}
