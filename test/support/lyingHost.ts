/**
 * An SSH host that lies: it lets everybody in, takes each script that the launcher sends, and answers with whatever a
 * test makes of it. It knows the scripts' nonces, as a hostile machine would.
 */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { generateKeyPairSync } from "node:crypto";

import { Server, type Connection, type ServerChannel } from "ssh2";

import { GREETING } from "../../src/machines/shell/channelScript.js";
import { within } from "./eventually.js";

/** Answers one command. `script` is what came on standard input, up to its end mark for scripts with an attachment. */
export type Answer = (channel: ServerChannel, script: string, nonce: string) => Promise<void> | void;

export interface LyingHost {
  readonly address: string;
  readonly port: number;
  /** The number of commands that it was asked to run. */
  readonly commands: number;
  answer: Answer;
  stop(): Promise<void>;
}

export async function startLyingHost(answer: Answer): Promise<LyingHost> {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const clients = new Set<Connection>();
  let commands = 0;
  const server = new Server({ hostKeys: [privateKey] }, (client) => {
    clients.add(client);
    client.on("error", () => undefined);
    client.on("close", () => clients.delete(client));
    client.on("authentication", (context) => {
      context.accept();
    });
    client.on("session", (accept) => {
      accept().on("exec", (acceptCommand, _reject, { command }) => {
        commands += 1;
        void serve(acceptCommand(), command, () => host.answer);
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server as never, "listening");
  const host: LyingHost = {
    address: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    get commands() {
      return commands;
    },
    answer,
    async stop() {
      for (const client of clients) client.end();
      await within(
        "the lying host is closed",
        new Promise<void>((resolve) =>
          server.close(() => {
            resolve();
          }),
        ),
        10_000,
      );
    },
  };
  return host;
}

/** Reads the script (its length is in the command), then lets the test answer. */
async function serve(channel: ServerChannel, command: string, answer: () => Answer): Promise<void> {
  channel.on("error", () => undefined);
  const size = Number(/count=(\d+)/.exec(command)?.[1] ?? 0);
  let script = Buffer.alloc(0);
  // Its login shell is fine: what lies is what runs in it.
  let token: Buffer | null = command.includes(`${GREETING}-err`) ? Buffer.alloc(0) : null;
  const greet = (): void => {
    for (const stream of [channel, channel.stderr]) stream.write(`\n${GREETING}\n`);
  };
  if (token !== null) channel.stderr.write(`\n${GREETING}-err \n`);
  else if (size > 0) greet();
  channel.on("data", (data: Buffer) => {
    let chunk = data;
    if (token !== null) {
      token = Buffer.concat([token, chunk]);
      const end = token.indexOf("\n");
      if (end < 0) return;
      channel.write(`\n${GREETING}-out ${token.toString("utf8", 0, end)}::/bin\n`);
      greet();
      chunk = token.subarray(end + 1);
      token = null;
    }
    if (script.length < size) script = Buffer.concat([script, chunk]);
    if (script.length >= size) begin();
  });
  let begun = false;
  const begin = (): void => {
    if (begun) return;
    begun = true;
    const text = script.toString("utf8", 0, size) || command;
    const nonce = /(?:bl-|bl-(?:begin|talk|dismissed) |nonce )?([0-9a-f]{24})/.exec(text)?.[1] ?? "";
    // What the login shell said goes out first, as a packet of its own.
    void delay(20)
      .then(() => answer()(channel, text, nonce))
      .catch(() => undefined);
  };
  if (size === 0) begin();
}

/**
 * Writes on one output of a channel, with back pressure, until the other side has gone. ssh2's server forgets what one
 * output was to write while the other waits for the window, so it resolves when all of it is out.
 *
 * @returns whether everything was sent.
 */
export async function send(
  channel: ServerChannel,
  pieces: Iterable<Buffer | string>,
  output: Writable = channel,
): Promise<boolean> {
  const gone = new AbortController();
  const onClose = (): void => {
    gone.abort();
  };
  channel.once("close", onClose);
  try {
    for (const piece of pieces) {
      if (gone.signal.aborted || channel.destroyed) return false;
      if (!output.write(piece)) await once(output, "drain", { signal: gone.signal });
      // A channel without a window does not wait for its socket.
      const socket = socketOf(channel);
      while (!gone.signal.aborted && socket.writableLength > 4_194_304) await delay(1);
    }
    while (!gone.signal.aborted && output.writableLength > 0) await delay(1);
    return true;
  } catch (error) {
    if (gone.signal.aborted) return false;
    throw error;
  } finally {
    channel.removeListener("close", onClose);
  }
}

function socketOf(channel: ServerChannel): Socket {
  return (channel as unknown as { readonly _client: { readonly _sock: Socket } })._client._sock;
}

/** Ends a command as sshd does. */
export function exit(channel: ServerChannel, code: number): void {
  channel.exit(code);
  channel.end();
}
