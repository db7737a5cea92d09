/** What is asked of a machine, and what came of it. */
import type { Bundle } from "./bundle.js";
import { isText } from "../../text/surrogateEscape.js";
import { StagingError } from "../contract/errors.js";
import type { BlHandler } from "../coordination/blRequest.js";

export interface ProgramRequest {
  /** The step's directory, relative to the connection's work directory; must not exist yet. */
  readonly directory: string;
  readonly bundle: Bundle;
  /** `file`: a file of the bundle, run as it is. `command`: one line for the machine's /bin/sh. */
  readonly start: ProgramStart;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Arrive as a JSON object in the file $BOOTLEVEL_ATTRIBUTES. */
  readonly attributes: Readonly<Record<string, string>>;
  /**
   * Directories that are made for the program, by the environment variable that names each; relative to the step's
   * directory.
   */
  readonly folders?: Readonly<Record<string, string>>;
  /** Names of the outputs that the program promises to set: what a simulated machine makes up. */
  readonly promised: readonly string[];
  /** Milliseconds the program may run. Staging may take as long again. */
  readonly timeoutMs: number;
  /** Milliseconds between TERM and KILL; 5000 unless told. */
  readonly graceMs?: number;
  readonly sudo: boolean;
  /** False: the step's directory is removed once the result is here. */
  readonly keep: boolean;
  /** The program's standard output and error, mixed, as they come. */
  onOutput(chunk: Buffer): void;
  /** What went wrong beside the program, such as a directory that could not be removed. */
  onWarning?(message: string): void;
  /**
   * Called with the result of a program that exited, before anything of it is removed from the machine: until this has
   * written it down, a launcher that dies can still be told the same result. If it rejects, what the program left
   * stays, and the error goes on.
   */
  onResult?(result: ProgramResult & { readonly kind: "exited" }): Promise<void>;
  /** Answers what the program asks by `bl`. Without it nothing is opened for that, and `bl` finds no launcher. */
  readonly coordination?: BlHandler;
  readonly signal: AbortSignal;
}

export type ProgramStart =
  { readonly kind: "file"; readonly name: string } | { readonly kind: "command"; readonly line: string };

export type ProgramResult =
  /** `code` as the shell gives it: 128 + n when signal n ended the program. */
  | { readonly kind: "exited"; readonly code: number; readonly outputs: Map<string, string> }
  /** The program ran too long and was ended. */
  | { readonly kind: "timed-out"; readonly afterMs: number }
  | { readonly kind: "aborted" }
  /**
   * Something ended the program and left no exit code: the machine restarted, or somebody killed it with its wrapper.
   */
  | { readonly kind: "lost"; readonly reason: string }
  /** The machine could not be asked in time; the program may be running still. */
  | { readonly kind: "unknown"; readonly reason: string };

/** What became of a step of an earlier launcher. `timeoutMs` is what is left of the program's time. */
export type RecoverRequest = Pick<
  ProgramRequest,
  | "directory"
  | "timeoutMs"
  | "graceMs"
  | "sudo"
  | "keep"
  | "onOutput"
  | "onWarning"
  | "onResult"
  | "coordination"
  | "signal"
> & {
  /** Called when the machine has answered that the program runs still; of one that has ended, its result tells. */
  onAlive?(): void;
};
export type RecoverResult = ProgramResult | { readonly kind: "never-started" };

/** Linux MAX_ARG_STRLEN less the NUL: the longest single argument or `NAME=value` that a program can be given. */
const LONGEST_STRING = 131_071;
/**
 * Linux allows a quarter of the stack limit (8 MiB) for all of them; half of that leaves room for the machine's own
 * environment.
 */
const LARGEST_SUM = 1_048_576;
/** Read-only in bash in its POSIX mode: to set them would end the shell. */
const READ_ONLY = new Set(["UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"]);
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Throws `StagingError` for what no machine could take, naming the thing. Values are not shown: they may be secret. */
export function checkLimits(request: Pick<ProgramRequest, "args" | "env" | "start">): void {
  request.args.forEach((arg, index) => {
    checkString(`argument ${index + 1}`, arg, 0);
  });
  for (const [name, value] of Object.entries(request.env)) {
    if (!ENV_NAME.test(name))
      throw new StagingError(`the environment variable ${JSON.stringify(name)} has a name that a shell cannot set`);
    if (READ_ONLY.has(name))
      throw new StagingError(`the environment variable ${name} is read-only in some shells; give it another name`);
    checkString(`the environment variable ${name}`, value, name.length + 1);
  }
  if (request.start.kind === "command") checkString("the command line", request.start.line, 0);
  checkSum([...request.args, ...Object.entries(request.env).flat()]);
}

function checkString(what: string, value: string, extra: number): void {
  checkNul(what, value);
  if (!isText(value))
    throw new StagingError(
      `${what} holds bytes that are no UTF-8: let the program read the value itself, by bl get --raw`,
    );
  const bytes = Buffer.byteLength(value);
  if (bytes + extra <= LONGEST_STRING) return;
  throw new StagingError(
    `${what} is ${bytes} bytes long; a program can be given at most ${LONGEST_STRING} bytes in one piece. ` +
      "Declare it as an attribute instead and read it from the file $BOOTLEVEL_ATTRIBUTES",
  );
}

function checkNul(what: string, value: string): void {
  if (value.includes("\0")) throw new StagingError(`${what} contains a NUL byte, which no program can be given`);
}

function checkSum(strings: readonly string[]): void {
  const bytes = strings.reduce((sum, text) => sum + Buffer.byteLength(text) + 9, 0);
  if (bytes <= LARGEST_SUM) return;
  throw new StagingError(
    `the arguments and environment variables are ${bytes} bytes long together; ${LARGEST_SUM} are allowed. ` +
      "Declare the large ones as attributes and read them from the file $BOOTLEVEL_ATTRIBUTES",
  );
}
