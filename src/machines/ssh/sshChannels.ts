/** A connection over SSH: channels are sessions of one ssh2 client. */
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
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

/** sshd allows 10 (MaxSessions); two stay free for what cannot wait, such as a kill. */
const CHANNELS = 8;
/** Milliseconds that a machine may take to say goodbye. */
const GOODBYE_MS = 2000;
/**
 * sshd counts a session until its shell has ended, a moment after the channel has: so a refusal is waited out, in
 * milliseconds.
 */
const REFUSAL_MS = 3000;
const REFUSAL_PAUSE_MS = 50;

/** One connection of sshd's, with the channels that it allows. */
export interface SshConnection extends MachineConnection {
  /** Channels that are open or waited for, those that are urgent not counted. */
  readonly channels: number;
  /** Whether a channel need not be waited for. */
  readonly isFree: boolean;
  interact(command: string, terminal: Terminal | null): Promise<InteractiveChannel>;
}

/** @param client is ready: the user is logged in */
export function sshConnection(
  client: Client,
  label: string,
  workDirectory: string,
  onClosed: () => void,
): SshConnection {
  const slots = pLimit(CHANNELS);
  let channels = 0;
  let reason: string | null = null;
  const lost = new Promise<string>((resolve) => {
    const lose = (why: string): void => {
      if (reason !== null) return;
      reason = why;
      resolve(why);
      onClosed();
    };
    client.on("error", (error) => {
      lose(`${label}: ${error.message}`);
    });
    client.on("close", () => {
      lose(`${label}: the connection was closed`);
    });
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
    if (reason !== null) throw new ConnectionLostError(reason);
    const opened = exec(client, command).catch((cause: unknown) => {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (reason !== null || /Not connected|No response/.test(message))
        throw new ConnectionLostError(`${label}: ${message}`, { cause });
      throw new ConnectionError(`${label} refuses another session (${message}); see MaxSessions in its sshd_config`, {
        cause,
      });
    });
    const broken = lost.then((why) => {
      throw new ConnectionLostError(why);
    });
    return channelOf(await Promise.race([opened, broken]), lost);
  }

  return {
    label,
    workDirectory,
    get alive() {
      return reason === null;
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
      if (reason !== null) throw new ConnectionLostError(reason);
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
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        lost,
        new Promise((resolve) => {
          timer = setTimeout(resolve, GOODBYE_MS);
        }),
      ]);
      clearTimeout(timer);
      client.destroy();
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
  /** Resolves when the machine has let go of it too. */
  readonly gone: Promise<unknown>;
}

function channelOf(channel: ClientChannel, lost: Promise<string>): OpenChannel {
  let code: number | null | undefined;
  let letGo: (end: ChannelEnd) => void = () => undefined;
  const closedHere = new Promise<ChannelEnd>((resolve) => {
    letGo = resolve;
  });
  channel.on("exit", (status: number | null) => {
    code = status;
  });
  const closedThere = new Promise<ChannelEnd>((resolve) => {
    channel.on("close", () => {
      resolve(code === undefined ? { kind: "lost", reason: "the channel broke" } : { kind: "exited", code });
    });
  });
  const broken = lost.then((reason): ChannelEnd => ({ kind: "lost", reason }));
  const close = (): void => {
    letGo({ kind: "lost", reason: "the channel was closed" });
    channel.close();
    // The machine's own close is heard only after all that it sent before was read.
    channel.resume();
    channel.stderr.resume();
  };
  return {
    // The machine's own close comes first where both are due: it carries the exit code.
    channel: {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      ended: Promise.race([closedThere, closedHere, broken]),
      close,
    },
    gone: Promise.race([closedThere, broken]),
  };
}
