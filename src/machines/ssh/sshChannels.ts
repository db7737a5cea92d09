/** An SSH connection. Its channels are sessions of one ssh2 client. */
import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import pTimeout from "p-timeout";
import type { Client, ClientChannel } from "ssh2";
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

/** sshd allows 10 (MaxSessions). Two stay free for urgent channels, such as a kill. */
const CHANNELS = 8;
/** Time limit for an orderly close, in milliseconds. */
const GOODBYE_MS = 2000;
/**
 * sshd counts a session until its shell has ended, which is a moment after the channel's end. So a refusal is retried
 * for this many milliseconds.
 */
const REFUSAL_MS = 3000;
const REFUSAL_PAUSE_MS = 50;

/** One SSH connection, with the number of channels in use. */
export interface SshConnection extends MachineConnection {
  /** Open and queued channels, without the urgent ones. */
  readonly channels: number;
  /** Whether a channel can be opened without waiting. */
  readonly isFree: boolean;
  interact(command: string, terminal: Terminal | null): Promise<InteractiveChannel>;
}

/**
 * @param client a logged-in client
 * @param stream the stream that it runs on; it is destroyed with the connection
 */
export function sshConnection(
  client: Client,
  stream: Duplex,
  label: string,
  workDirectory: string,
  onClosed: () => void,
): SshConnection {
  const slots = pLimit(CHANNELS);
  let channels = 0;
  // No promise: what waits for one is kept until the connection ends, for every channel that there ever was.
  const losing = new AbortController();
  const lost = losing.signal;
  setMaxListeners(0, lost);
  const lose = (why: string): void => {
    if (lost.aborted) return;
    losing.abort(new ConnectionLostError(why));
    destroyStream(stream);
    onClosed();
  };
  client.on("error", (error) => {
    lose(`${label}: ${error.message}`);
  });
  client.on("close", () => {
    lose(`${label}: the connection was closed`);
  });

  async function open(command: string): Promise<OpenChannel> {
    const until = performance.now() + REFUSAL_MS;
    for (;;) {
      try {
        return await openOnce(command);
      } catch (error) {
        if (isConnectionLostError(error) || performance.now() > until) throw error;
        await delay(REFUSAL_PAUSE_MS);
      }
    }
  }

  async function openOnce(command: string): Promise<OpenChannel> {
    lost.throwIfAborted();
    const opened = exec(client, command).catch((cause: unknown) => {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (lost.aborted || /Not connected|No response/.test(message))
        throw new ConnectionLostError(`${label}: ${message}`, { cause });
      throw new ConnectionError(`${label} refuses another session (${message}); raise MaxSessions in its sshd_config`, {
        cause,
      });
    });
    return channelOf(await pTimeout(opened, { milliseconds: Infinity, signal: lost }), lost);
  }

  return {
    label,
    workDirectory,
    get alive() {
      return !lost.aborted;
    },
    get channels() {
      return channels;
    },
    get isFree() {
      return channels < CHANNELS;
    },
    open(command, options) {
      if (options?.urgent === true) return open(command).then(({ channel }) => channel);
      channels += 1;
      return new Promise((resolve, reject) => {
        void slots(async () => {
          try {
            const { channel, gone } = await open(command);
            resolve(channel);
            await gone;
          } catch (error) {
            reject(error instanceof Error ? error : new ConnectionError(String(error)));
          } finally {
            channels -= 1;
          }
        });
      });
    },
    async interact(command, terminal) {
      lost.throwIfAborted();
      const stream = await execInteractive(client, command, terminal);
      const { channel } = channelOf(stream, lost);
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

function exec(client: Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(error instanceof Error ? error : new Error("the machine refused to run a command"));
    });
  });
}

function execInteractive(client: Client, command: string, terminal: Terminal | null): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const options =
      terminal === null ? {} : { pty: { term: terminal.type, cols: terminal.columns, rows: terminal.rows } };
    client.exec(command, options, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(new ConnectionError(`the machine refuses a shell: ${error.message}`, { cause: error }));
    });
  });
}

interface OpenChannel {
  readonly channel: Channel;
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
    channel.on("close", () => {
      lost.removeEventListener("abort", onLost);
      resolve(code === undefined ? { kind: "lost", reason: "the channel broke" } : { kind: "exited", code });
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
    gone,
  };
}
