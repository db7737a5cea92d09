/**
 * The loop that one would write without bootlevel: ssh2 with limited concurrency. Also records what bootlevel sends
 * over SSH.
 */
import { readFileSync } from "node:fs";
import pLimit from "p-limit";
import ssh2, { type Algorithms, type Client, type ClientChannel, type ExecOptions } from "ssh2";
import { connect, type Socket } from "node:net";

import type { SshHosts } from "./sshHosts.js";

/** As many concurrent handshakes as bootlevel. */
const AT_ONCE = 32;
const ALGORITHMS: Algorithms = {
  kex: ["curve25519-sha256"],
  cipher: ["aes128-gcm@openssh.com"],
  serverHostKey: ["ssh-ed25519"],
  compress: ["none"],
};

/** A command and its standard input. */
export interface Exec {
  readonly command: string;
  readonly input: Buffer;
}

/** Connects to each host, runs its commands one after the other, and disconnects. */
export async function smallestLoop(
  { addresses, port, user, identity, knownHosts }: SshHosts,
  count: number,
  execs: (index: number) => readonly Exec[],
): Promise<void> {
  const [, type = "", key = ""] = readFileSync(knownHosts, "utf8").split("\n", 1)[0]?.split(" ") ?? [];
  const expected = `${type} ${key}`;
  const privateKey = readFileSync(identity);
  const limit = pLimit(AT_ONCE);
  await Promise.all(
    addresses.slice(0, count).map((host, index) =>
      limit(async () => {
        const client = await logIn(await tcp(host, port), user, privateKey, expected);
        for (const exec of execs(index)) await run(client, exec);
        client.end();
      }),
    ),
  );
}

function tcp(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => {
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

function logIn(sock: Socket, username: string, privateKey: Buffer, expected: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client
      .on("ready", () => {
        resolve(client);
      })
      .on("error", reject);
    client.connect({
      sock,
      username,
      privateKey,
      algorithms: ALGORITHMS,
      hostVerifier: (key: Buffer) => `ssh-ed25519 ${key.toString("base64")}` === expected,
    });
  });
}

function run(client: Client, { command, input }: Exec): Promise<void> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      let words = "";
      channel.on("close", (code: number) => {
        // A step that removed its files ends with 97, like one that refused to start: it says which.
        if (code === 0 || (code === 97 && /^bl-removed /m.test(words))) resolve();
        else reject(new Error(`exit code ${code} of ${command.slice(0, 100)}: ${words.slice(-500)}`));
      });
      channel.resume();
      channel.stderr.on("data", (chunk: Buffer) => {
        words += chunk.toString("latin1");
      });
      channel.end(input);
    });
  });
}

/** Records the ssh2 commands that `work` runs, with their complete input, in the order of their start. */
export async function overhear(work: () => Promise<void>): Promise<Exec[]> {
  const heard: { command: string; chunks: Buffer[] }[] = [];
  const prototype = ssh2.Client.prototype;
  const original = Object.getOwnPropertyDescriptor(prototype, "exec") as PropertyDescriptor;
  prototype.exec = function (
    this: Client,
    command: string,
    options: ExecOptions,
    callback: (error: Error | undefined, channel: ClientChannel) => void,
  ) {
    const one: { command: string; chunks: Buffer[] } = { command, chunks: [] };
    heard.push(one);
    const exec = (original.value as Client["exec"]).bind(this);
    return exec(command, options, (error, channel) => {
      if (error === undefined) listen(channel, one.chunks);
      callback(error, channel);
    });
  } as Client["exec"];
  try {
    await work();
  } finally {
    Object.defineProperty(prototype, "exec", original);
  }
  return heard.map(({ command, chunks }) => ({ command, input: Buffer.concat(chunks) }));
}

function listen(channel: ClientChannel, chunks: Buffer[]): void {
  const record = (chunk: unknown): void => {
    if (typeof chunk === "string" || Buffer.isBuffer(chunk)) chunks.push(Buffer.from(chunk as string));
  };
  const write = channel.write.bind(channel) as (chunk: Buffer | string, ...rest: unknown[]) => boolean;
  channel.write = ((chunk: Buffer | string, ...rest: unknown[]) => {
    record(chunk);
    return write(chunk, ...rest);
  }) as typeof channel.write;
  // What `end` sends does not pass through `write`: the line that lets a step remove its files.
  const end = channel.end.bind(channel) as (...rest: unknown[]) => ClientChannel;
  channel.end = ((...rest: unknown[]) => {
    record(rest[0]);
    return end(...rest);
  }) as typeof channel.end;
}
