/** Shows the events of a run while a command works on it. */
import type { RunEvent } from "../library/index.js";
import { chooseMode, type Appearance } from "../display/mode.js";
import { StoppedError, UsageError } from "./exitCodes.js";
import { onInterrupt, type Interruption } from "./interrupt.js";
import { LeftMachines } from "./leftMachines.js";
import { sayLast } from "./lastWords.js";
import { printError } from "./output.js";

export interface Progress {
  readonly onEvent: (event: RunEvent) => void;
  readonly interruption: Interruption;
  /** An error ends the command: after it, what is left behind is said. */
  leave(): void;
  /** Gives the screen back to the caller. */
  close(): void;
}

/** What a command passes on to the library. */
export type Watch = { readonly onEvent: (event: RunEvent) => void; readonly signal: AbortSignal };

export interface ProgressOptions {
  readonly json: boolean;
  /** With `--nagios`: monitors read standard output and standard error as one text. */
  readonly nagios?: boolean;
  readonly verbose: boolean;
  /** What the command does after an interrupt. Default: no new step starts, and running steps are recorded. */
  readonly stopping?: string;
  /** Sentence that says what can be done after an interrupt. */
  readonly afterwards: string;
}

const STOPPING = "no new step starts, running steps are recorded";

/**
 * Live display on a terminal, plain lines otherwise. With `--json`, plain lines on stderr: stdout holds the document.
 * Nothing with `--nagios`.
 */
export async function showProgress(options: ProgressOptions): Promise<Progress> {
  const { createReporter } = await import("../display/reporter.js");
  const stream = options.json ? process.stderr : process.stdout;
  const { mode, color } = appearance(options);
  const reporter = createReporter({ mode, stream, color, now: Date.now, verbose: options.verbose });
  const left = new LeftMachines();
  const leave = (say: (words: string) => void): void => {
    reporter.close();
    const sentence = left.sentence();
    if (sentence !== null) say(`bootlevel: ${sentence}`);
  };
  const interruption = onInterrupt(
    () => {
      const message = `stopping: ${options.stopping ?? STOPPING}. Interrupt again to exit at once. ${options.afterwards}`;
      reporter.onEvent({ at: Date.now(), type: "warning", service: null, message });
    },
    () => {
      leave(printError);
    },
  );
  return {
    onEvent: (event) => {
      left.note(event);
      reporter.onEvent(event);
    },
    interruption,
    leave() {
      leave(sayLast);
    },
    close() {
      reporter.close();
      interruption.release();
    },
  };
}

function appearance({ json, nagios }: ProgressOptions): Appearance {
  if (nagios === true) return { mode: "silent", color: false };
  return json ? { mode: "plain", color: false } : chooseMode({ stream: process.stdout, env: process.env, json: false });
}

/**
 * Shows progress while `work` runs, then gives the screen back.
 * @returns the result of `work`, and whether the operator interrupted it.
 */
export async function withProgress<T>(
  options: ProgressOptions,
  work: (watch: Watch) => Promise<T>,
): Promise<{ result: T; interrupted: boolean }> {
  const progress = await showProgress(options);
  try {
    const result = await work({ onEvent: progress.onEvent, signal: progress.interruption.signal });
    return { result, interrupted: progress.interruption.interrupted };
  } catch (error) {
    if (options.nagios !== true) progress.leave();
    throw error;
  } finally {
    progress.close();
  }
}

/**
 * Asks for confirmation on the terminal; without a terminal the answer is yes.
 * @throws StoppedError for Ctrl-C, or another signal that stops a command.
 */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return true;
  const answer = await ask(`${question} [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}

/** @returns the answer; "" if the terminal has none: Ctrl-D, or the terminal went away. */
async function ask(question: string): Promise<string> {
  const { createInterface } = await import("node:readline");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const interruption = onInterrupt(() => terminal.emit("SIGINT"));
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.on("SIGINT", () => {
        reject(new StoppedError("interrupted at the question: nothing was changed"));
      });
      terminal.on("close", () => {
        resolve("");
      });
      // An input that cannot be read is a terminal that went away.
      for (const source of [terminal, process.stdin])
        source.on("error", () => {
          resolve("");
        });
      terminal.question(question, resolve);
    });
  } finally {
    interruption.release();
    terminal.close();
    printError("");
  }
}

/** Asks for confirmation on the terminal. @throws UsageError without a terminal: the call must then have `--yes`. */
export async function demandYes(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new UsageError(`${question} There is no terminal to ask on: use --yes`);
  return confirm(question);
}
