/**
 * The contract between "run a program on a machine" and the ways of reaching one. A connection opens channels: one
 * shell process with a standard input and two outputs. Everything else (staging, timeouts, outputs, finding out what
 * became of a program) is written once, on top.
 */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import type { Readable, Writable } from "node:stream";

/** How a channel ended: with the shell's exit code (null if a signal ended it), or "lost" when no exit code came. */
export type ChannelEnd =
  { readonly kind: "exited"; readonly code: number | null } | { readonly kind: "lost"; readonly reason: string };

/** One `sh` process on the machine. */
export interface Channel {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the channel has ended, after all that came on its two outputs was delivered. Never rejects. */
  readonly ended: Promise<ChannelEnd>;
  /**
   * Lets go of the channel at once; processes that still hold its other end live on. `ended` then resolves as "lost".
   */
  close(): void;
}

/** A terminal on the other side, as wide and high as the one here. */
export interface Terminal {
  /** Its type, such as `xterm-256color`. */
  readonly type: string;
  readonly columns: number;
  readonly rows: number;
}

/** A command that somebody sits in front of. */
export interface InteractiveChannel extends Channel {
  /** Tells it that the terminal has another size now. */
  resize(terminal: Pick<Terminal, "columns" | "rows">): void;
}

/** The login shell of a machine. Start-up files may do anything to what is run by it. */
export interface LoginShell {
  /** Whether it has run a command, and left its streams alone. */
  proven: boolean;
}

/** A machine that was reached. Channels may be open side by side. */
export interface MachineConnection {
  /** For messages: `admin@10.0.0.4:22`, or the machine's directory. */
  readonly label: string;
  /** Where step directories lie on the machine; a relative path is relative to the home directory there. */
  readonly workDirectory: string;
  /**
   * What is known of the machine's login shell, for all who use the connection; missing where no login shell comes in
   * between.
   */
  readonly shell?: LoginShell;
  /**
   * Opens a shell that runs `command` (one line of POSIX shell, no secrets: process lists show it). Where the number of
   * channels is limited, waits for a free one, unless `urgent` (a kill must not queue behind the programs it is to
   * end). Throws `ConnectionLostError`.
   */
  open(command: string, options?: { readonly urgent: boolean }): Promise<Channel>;
  /**
   * Runs `command` for somebody who sits in front of it; with a terminal there if there is one here. Throws
   * `ConnectionLostError`.
   */
  interact?(command: string, terminal: Terminal | null): Promise<InteractiveChannel>;
  /**
   * Where a shell can have this process's own standard streams (it is a process on this computer, or reached by one):
   * runs `command` on them. It goes before `interact`.
   * @param terminalType such as `xterm-256color`, or `dumb`
   * @returns the exit code, as a shell gives it. @throws ConnectionError if it cannot be started.
   */
  attach?(command: string, terminalType: string): Promise<number>;
  /** False once the connection has broken or was closed. */
  readonly alive: boolean;
  close(): Promise<void>;
}

/** The machine could not be reached, or the connection broke and could not be made again before the deadline. */
export class ConnectionError extends BootlevelError {
  override readonly name: string = "ConnectionError";
  static override readonly code: string = "CONNECTION";
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}

export const isConnectionError = guardOf(ConnectionError);

/** The connection broke under a channel. What ran on it is unknown until somebody looks. */
export class ConnectionLostError extends ConnectionError {
  override readonly name = "ConnectionLostError";
  static override readonly code: string = "CONNECTION_LOST";
}

export const isConnectionLostError = guardOf(ConnectionLostError);

/** The machine refused every key. Final: trying again would be refused again, and may lock the account. */
export class AuthenticationError extends ConnectionError {
  override readonly name = "AuthenticationError";
  static override readonly code: string = "AUTHENTICATION";
}

export const isAuthenticationError = guardOf(AuthenticationError);

/** The machine's host key is not the expected one. Nothing was sent, no authentication was attempted. */
export class HostKeyError extends ConnectionError {
  override readonly name = "HostKeyError";
  static override readonly code: string = "HOST_KEY";
  constructor(
    message: string,
    readonly presented: string,
    readonly expected: readonly string[],
  ) {
    super(message);
  }
}

export const isHostKeyError = guardOf(HostKeyError);
