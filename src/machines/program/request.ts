/** The request to run a program on a machine, and its result. */
import type { Bundle } from "./bundle.js";
import { isText } from "../../text/surrogateEscape.js";
import { StagingError } from "../contract/errors.js";
import type { SudoUse } from "../shell/channelScript.js";
import type { HostUser } from "../shell/hostMarker.js";
import type { BlHandler } from "../coordination/blRequest.js";

export interface ProgramRequest {
  /** The step's directory, relative to the connection's work directory. It must not exist yet. */
  readonly directory: string;
  readonly bundle: Bundle;
  /** `file`: a file of the bundle, executed directly. `command`: one line for the machine's /bin/sh. */
  readonly start: ProgramStart;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Passed as a JSON object in the file $BOOTLEVEL_ATTRIBUTES. */
  readonly attributes: Readonly<Record<string, string>>;
  /**
   * Directories to create for the program, relative to the step's directory, by the environment variable that names
   * each.
   */
  readonly folders?: Readonly<Record<string, string>>;
  /** Names of the outputs that the plan declares; a simulated machine invents values for them. */
  readonly promised: readonly string[];
  /** Time limit of the program in milliseconds. Staging may take as long again. */
  readonly timeoutMs: number;
  /** Milliseconds between TERM and KILL; default 5000. */
  readonly graceMs?: number;
  readonly sudo: SudoUse;
  /** False: the step's directory is removed once the result has arrived. */
  readonly keep: boolean;
  /** Receives the program's standard output and error, interleaved, as they arrive. */
  onOutput(chunk: Buffer): void;
  /** Receives problems that do not affect the result, such as a directory that could not be removed. */
  onWarning?(message: string): void;
  /** Checks the outputs of a program that exited. Throws OutputError; the program's files are removed then. */
  checkOutputs?(outputs: ReadonlyMap<string, string>): void;
  /**
   * Called with the result of a program that exited, before its files are removed from the machine. It must record the
   * result: until then, the next launcher can still read it from the machine. If it rejects, the files stay and `run`
   * rejects with its error.
   */
  onResult?(result: ProgramResult & { readonly kind: "exited" }): Promise<void>;
  /**
   * Called when the connection under the program breaks, with the reason. The machine is then asked until it answers
   * again.
   */
  onLost?(reason: string): void;
  /** Called when the machine answers again after `onLost`. */
  onRestored?(): void;
  /**
   * Once aborted, the program is not waited for while its machine does not answer: it is left to the next launcher, and
   * the result is "unknown".
   */
  readonly leave?: AbortSignal;
  /** Marks the host, which other installations may use, before anything runs there; one in use is left alone. */
  readonly hostUser?: HostUser | undefined;
  /** Answers the program's `bl` requests. Without it, `bl` reports that there is no launcher. */
  readonly coordination?: BlHandler;
  readonly signal: AbortSignal;
}

export type ProgramStart =
  { readonly kind: "file"; readonly name: string } | { readonly kind: "command"; readonly line: string };

export type ProgramResult =
  /** `code` as the shell reports it: 128 + n if signal n ended the program. */
  | { readonly kind: "exited"; readonly code: number; readonly outputs: Map<string, string> }
  /** The program exceeded its time limit and was killed. */
  | { readonly kind: "timed-out"; readonly afterMs: number }
  | { readonly kind: "aborted" }
  /**
   * The program ended without an exit code: the machine restarted, or the program was killed together with its wrapper.
   */
  | { readonly kind: "lost"; readonly reason: string }
  /** The machine did not answer in time. The program may still be running. `left`: nobody waited, as `leave` says. */
  | { readonly kind: "unknown"; readonly reason: string; readonly left?: boolean };

/** A request to find out how a step of an earlier launcher ended. `timeoutMs` is the program's remaining time. */
export type RecoverRequest = Pick<
  ProgramRequest,
  | "directory"
  | "timeoutMs"
  | "graceMs"
  | "sudo"
  | "keep"
  | "onOutput"
  | "onWarning"
  | "checkOutputs"
  | "onResult"
  | "onLost"
  | "onRestored"
  | "leave"
  | "coordination"
  | "signal"
> & {
  /** Called when the machine reports that the program is still running. */
  onAlive?(): void;
};
export type RecoverResult = ProgramResult | { readonly kind: "never-started" };

/** Linux MAX_ARG_STRLEN without the NUL: the longest single argument or `NAME=value`. */
const LONGEST_STRING = 131_071;
/**
 * Linux allows a quarter of the stack limit (8 MiB) for all strings together. Half of that leaves room for the
 * machine's own environment.
 */
const LARGEST_SUM = 1_048_576;
/** Read-only in bash in POSIX mode: setting one would end the shell. */
const READ_ONLY = new Set(["UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"]);
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Checks the limits that hold on every machine.
 * @throws StagingError that names the argument or variable, but not its value, which may be secret.
 */
export function checkLimits(request: Pick<ProgramRequest, "args" | "env" | "start">): void {
  request.args.forEach((arg, index) => {
    checkString(`argument ${index + 1}`, arg, 0);
  });
  for (const [name, value] of Object.entries(request.env)) {
    if (!ENV_NAME.test(name))
      throw new StagingError(
        `the environment variable ${JSON.stringify(name)} has a name that a shell cannot set; use letters, digits and _`,
      );
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
      `${what} contains bytes that are not UTF-8; let the program read the value itself with bl get --raw`,
    );
  const bytes = Buffer.byteLength(value);
  if (bytes + extra <= LONGEST_STRING) return;
  throw new StagingError(
    `${what} is ${bytes} bytes long; the limit for one string is ${LONGEST_STRING} bytes. ` +
      "Declare it as an attribute instead and read it from the file $BOOTLEVEL_ATTRIBUTES",
  );
}

function checkNul(what: string, value: string): void {
  if (value.includes("\0")) throw new StagingError(`${what} contains a NUL byte, which cannot be passed to a program`);
}

function checkSum(strings: readonly string[]): void {
  const bytes = strings.reduce((sum, text) => sum + Buffer.byteLength(text) + 9, 0);
  if (bytes <= LARGEST_SUM) return;
  throw new StagingError(
    `the arguments and environment variables are ${bytes} bytes long together; the limit is ${LARGEST_SUM} bytes. ` +
      "Declare the large ones as attributes and read them from the file $BOOTLEVEL_ATTRIBUTES",
  );
}
