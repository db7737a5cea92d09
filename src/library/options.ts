/** The options of the library's functions, and their conversion for the engine. */
import type { Environment } from "../model/environment.js";
import type { RunEvent } from "../model/events.js";
import type { RunBusyError } from "../state/contract/errors.js";

/**
 * The environment variables that may be read, by name: for `${env.X}`, for `BOOTLEVEL_HOME` and `BOOTLEVEL_KEY`, for
 * SSH (`HOME`, `SSH_AUTH_SOCK`, passphrases), and for programs on this computer (`PATH`, languages). Default: none. The
 * command line passes `process.env`.
 */
export interface EnvironmentOption {
  readonly env?: Environment;
}

/** The state directory of the installation. Default: `BOOTLEVEL_HOME` in `env`, else `~/.bootlevel`. */
export interface HomeOption extends EnvironmentOption {
  readonly home?: string;
}

/** Sources for the values of a plan's variables, in order of precedence. */
export interface VariableOptions extends EnvironmentOption {
  /** Values by name, like `--var`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** YAML files of names and values, like `--var-file`; later files win. */
  readonly varFiles?: readonly string[];
}

export interface WatchOptions {
  /** Receives every event, redacted. Must not throw. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Abort it to stop the call: nothing new starts, and running work is recorded. */
  readonly signal?: AbortSignal;
}

export interface WaitOptions {
  /** How long to wait while another launcher works on the run, in milliseconds. Default: 0. */
  readonly waitMs?: number;
  /** Called once before waiting, with the holder of the run. */
  readonly onWait?: (error: RunBusyError) => void;
}

/** The options for opening the record. */
export function storeOptions({ env = {} }: EnvironmentOption): { readonly env: Environment } {
  return { env };
}

/** These options with their defaults, for the engine. */
export function watch(options: WatchOptions): { observe: (event: RunEvent) => void; signal: AbortSignal } {
  return { observe: options.onEvent ?? (() => undefined), signal: options.signal ?? new AbortController().signal };
}

/** Like `watch`, for a call that takes the run's lease. */
export function work(options: WatchOptions & WaitOptions) {
  return {
    ...watch(options),
    waitMs: options.waitMs ?? 0,
    ...(options.onWait === undefined ? {} : { onWait: options.onWait }),
  };
}
