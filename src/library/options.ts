/** What callers of the library may say, and what the engine is told of it. */
import type { Environment } from "../model/environment.js";
import type { RunEvent } from "../model/events.js";
import type { RunBusyError } from "../state/contract/errors.js";

/**
 * Which environment variables may be read, by name: by `${env.X}`, for `BOOTLEVEL_HOME` and `BOOTLEVEL_KEY`, for SSH
 * (`HOME`, `SSH_AUTH_SOCK`, passphrases), and for programs on this computer (`PATH`, languages). Default: none. The
 * command line gives `process.env`.
 */
export interface EnvironmentOption {
  readonly env?: Environment;
}

/** Which installation: the directory of its state. Default: `BOOTLEVEL_HOME` in `env`, else `~/.bootlevel`. */
export interface HomeOption extends EnvironmentOption {
  readonly home?: string;
}

/** Where the values of a plan's variables come from, nearest first. */
export interface VariableOptions extends EnvironmentOption {
  /** Values by name: `--var`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** YAML files of names and values; later ones win. */
  readonly varFiles?: readonly string[];
}

export interface WatchOptions {
  /** Told everything that happens, secrets taken out. Must not throw. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Abort it to stop: nothing new is started, what runs is written down. */
  readonly signal?: AbortSignal;
}

export interface WaitOptions {
  /** How long to wait for another launcher that works on the run, in milliseconds. Default: 0. */
  readonly waitMs?: number;
  /** Told once, before it waits, who has the run. */
  readonly onWait?: (error: RunBusyError) => void;
}

/** What the record is opened with. */
export function storeOptions({ env = {} }: EnvironmentOption): { readonly env: Environment } {
  return { env };
}

/** What the engine is told of these options, with their defaults. */
export function watch(options: WatchOptions): { observe: (event: RunEvent) => void; signal: AbortSignal } {
  return { observe: options.onEvent ?? (() => undefined), signal: options.signal ?? new AbortController().signal };
}

/** The same for a command that takes the run's lease. */
export function work(options: WatchOptions & WaitOptions) {
  return {
    ...watch(options),
    waitMs: options.waitMs ?? 0,
    ...(options.onWait === undefined ? {} : { onWait: options.onWait }),
  };
}
