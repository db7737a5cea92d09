/** An SSH connection. Its channels are sessions of one ssh2 client. */
import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import pTimeout from "p-timeout";
import type { Client, ClientChannel } from "ssh2";
import { guardOf } from "../../errors/bootlevelError.js";
import {
  ConnectionError,
  ConnectionLostError,
  isConnectionLostError,
  type Channel,
  type ChannelEnd,
  type InteractiveChannel,
  type MachineConnection,
  type Terminal,
} from "../contract/connection.js";
import { destroyStream } from "./destroyStream.js";
import { type SessionLimit, SessionSlots } from "./sessionSlots.js";
import { limitUnread } from "./unreadLimit.js";

/** Time limit for an orderly close, in milliseconds. */
const GOODBYE_MS = 2000;
/**
 * sshd counts a session until its shell has ended, which is a moment after the channel's end. So a refusal is retried
 * for this many milliseconds.
 */
const REFUSAL_MS = 3000;
const REFUSAL_PAUSE_MS = 50;

/** The host has no room for another session on this connection. */
export class SessionRefusedError extends ConnectionError {
  static override readonly code: string = "SESSION_REFUSED";
  /** @param others how many other sessions the connection has */
  constructor(
    message: string,
    readonly others: number,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export const isSessionRefusedError = guardOf(SessionRefusedError);

/** One SSH connection, with the number of channels in use. */
export interface SshConnection extends MachineConnection {
  /** Open and queued channels, without the urgent ones. */
  readonly channels: number;
  /** Whether a channel can be opened without waiting. */
  readonly isFree: boolean;
  /** The same for an urgent channel. */
  readonly isFreeForUrgent: boolean;
  /** Both throw `SessionRefusedError` when other sessions of the connection leave no room for this one. */
  open(command: string, options?: { readonly urgent: boolean }): Promise<Channel>;
  interact(command: string, terminal: Terminal | null): Promise<InteractiveChannel>;
}

export interface SshConnectionParts {
  /** Logged in. */
  readonly client: Client;
  /** The stream that the client runs on. It is destroyed with the connection. */
  readonly stream: Duplex;
  readonly label: string;
  readonly workDirectory: string;
  /** Shared by all connections to the host. */
  readonly sessions: SessionLimit;
  /** Why the client gave the connection up, where its own error does not tell; null if it did not. */
  readonly refusal: () => Error | null;
}

/** Makes a connection of a logged-in client. */
export function sshConnection({
  client,
  stream,
  label,
  workDirectory,
  sessions,
  refusal,
}: SshConnectionParts): SshConnection {
  const slots = new SessionSlots(sessions);
  // No promise: what waits for one is kept until the connection ends, for every channel that there ever was.
  const losing = new AbortController();
  const lost = losing.signal;
  setMaxListeners(0, lost);
  const lose = (why: string): void => {
    if (lost.aborted) return;
    losing.abort(new ConnectionLostError(why));
    destroyStream(stream);
    slots.letAllIn();
  };
  client.on("error", (error) => {
    lose(`${label}: ${refusal()?.message ?? error.message}`);
  });
  client.on("close", () => {
    lose(`${label}: the connection was closed`);
  });

  /** Opens a session as soon as there is room for it. It counts until the machine has closed it. */
  async function open(command: string, urgent: boolean, terminal: Terminal | null): Promise<OpenChannel> {
    const release = await slots.take(urgent);
    try {
      const opened = await openPatiently(command, terminal);
      void opened.gone.then(() => {
        release("ended");
      });
      return opened;
    } catch (error) {
      release("never-opened");
      throw error;
    }
  }

  async function openPatiently(command: string, terminal: Terminal | null): Promise<OpenChannel> {
    for (;;) {
      lost.throwIfAborted();
      try {
        const opening = execute(client, command, terminal, lost);
        return await pTimeout(opening, { milliseconds: Infinity, signal: lost });
      } catch (cause) {
        if (isConnectionLostError(cause)) throw cause;
        const message = cause instanceof Error ? cause.message : String(cause);
        if (lost.aborted || /Not connected|No response/.test(message))
          throw new ConnectionLostError(`${label}: ${message}`, { cause });
        const others = slots.open - 1;
        if (slots.sinceRelease > REFUSAL_MS) {
          if (others > 0) sessions.learn(others);
          throw new SessionRefusedError(refusedSession(label, message, others), others, { cause });
        }
      }
      await delay(REFUSAL_PAUSE_MS);
    }
  }

  return {
    label,
    workDirectory,
    shell: { proven: false },
    get alive() {
      return !lost.aborted;
    },
    get channels() {
      return slots.channels;
    },
    get isFree() {
      return slots.isFree(false);
    },
    get isFreeForUrgent() {
      return slots.isFree(true);
    },
    open: async (command, options) => (await open(command, options?.urgent === true, null)).channel,
    async interact(command, terminal) {
      const { channel, stream } = await open(command, true, terminal);
      return {
        ...channel,
        resize: ({ columns, rows }) => {
          stream.setWindow(rows, columns, 0, 0);
        },
      };
    },
    async close() {
      client.end();
      // It is lost when the machine has said goodbye too.
      await delay(GOODBYE_MS, undefined, { signal: lost }).catch(() => undefined);
      destroyStream(stream);
    },
  };
}

function refusedSession(label: string, message: string, others: number): string {
  return others > 0
    ? `${label} refuses another session beside ${others} (${message}); raise MaxSessions in its sshd_config`
    : `${label} lets the user log in but refuses every session (${message}); ` +
        "check MaxSessions in its sshd_config and restrictions of the key in authorized_keys";
}

/**
 * Runs a command in a session of its own. The channel is listened to before anything is awaited: the machine's first
 * packet may bring the program's end too.
 */
function execute(client: Client, command: string, terminal: Terminal | null, lost: AbortSignal): Promise<OpenChannel> {
  return new Promise((resolve, reject) => {
    const options =
      terminal === null ? {} : { pty: { term: terminal.type, cols: terminal.columns, rows: terminal.rows } };
    client.exec(command, options, (error, channel) => {
      if (error === undefined) {
        for (const stream of [channel, channel.stderr])
          limitUnread(stream, () => {
            // Whoever ignores the window is no SSH server that can be talked to.
            client.emit("error", new Error("the machine sends more than it may before it is read"));
            client.destroy();
          });
        resolve(channelOf(channel, lost));
      } else reject(error instanceof Error ? error : new Error("the machine refused to run a command"));
    });
  });
}

interface OpenChannel {
  readonly channel: Channel;
  readonly stream: ClientChannel;
  /** Resolves when the machine has closed the channel too. */
  readonly gone: Promise<unknown>;
}

/** @param lost aborts with a `ConnectionLostError` when the connection is lost */
function channelOf(channel: ClientChannel, lost: AbortSignal): OpenChannel {
  let code: number | null | undefined;
  let letGo: (end: ChannelEnd) => void = () => undefined;
  const closedHere = new Promise<ChannelEnd>((resolve) => {
    letGo = resolve;
  });
  channel.on("exit", (status: number | null) => {
    code = status;
  });
  const gone = new Promise<ChannelEnd>((resolve) => {
    const onLost = (): void => {
      // The machine's own close comes first where both are due: it carries the exit code.
      queueMicrotask(() => {
        resolve({ kind: "lost", reason: (lost.reason as ConnectionLostError).message });
      });
    };
    const onClosed = (): void => {
      lost.removeEventListener("abort", onLost);
      resolve(code === undefined ? { kind: "lost", reason: "the channel broke" } : { kind: "exited", code });
    };
    // ssh2 closes the channel when its standard output was read. Whoever reads standard error is still given its rest.
    channel.on("close", () => {
      const { stderr } = channel;
      const isRead = stderr.readableFlowing !== null || stderr.listenerCount("readable") > 0;
      if (!isRead || stderr.readableEnded || stderr.destroyed) onClosed();
      else stderr.once("end", onClosed);
    });
    lost.addEventListener("abort", onLost, { once: true });
    if (lost.aborted) onLost();
  });
  const close = (): void => {
    letGo({ kind: "lost", reason: "the channel was closed" });
    channel.close();
    // The machine's close event arrives only after all earlier data was read.
    channel.resume();
    channel.stderr.resume();
  };
  return {
    channel: {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      ended: Promise.race([gone, closedHere]),
      close,
    },
    stream: channel,
    gone,
  };
}
