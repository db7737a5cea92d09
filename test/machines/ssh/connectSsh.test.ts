import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { execFile, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import type { MachineConnection } from "../../../src/machines/contract/connection.js";
import { JumpHostPool } from "../../../src/machines/ssh/jumpHosts.js";
import { connectSsh, type ConnectOptions } from "../../../src/machines/ssh/sshConnection.js";
import type { SshSettings } from "../../../src/machines/ssh/settings.js";
import { eventually } from "../../support/eventually.js";
import { makeKey, memoryPins, startProxy, startSshHost, type SshHost } from "../../support/sshHost.js";

const run = promisify(execFile);
let host: SshHost;
let other: SshHost;
const open: MachineConnection[] = [];

beforeAll(async () => {
  host = await startSshHost();
  other = await startSshHost({ identity: host.identity });
});
afterAll(async () => {
  await Promise.all([host.stop(), other.stop()]);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  delete process.env["TEST_PASSPHRASE"];
});

async function reach(settings: SshSettings, options: Partial<ConnectOptions> = {}): Promise<MachineConnection> {
  const connection = await connectSsh(settings, {
    signal: new AbortController().signal,
    onWarning: () => undefined,
    ...options,
  });
  open.push(connection);
  return connection;
}

async function words(connection: MachineConnection, command: string): Promise<string> {
  const channel = await connection.open(command);
  let text = "";
  channel.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  channel.stderr.resume();
  channel.stdin.end();
  expect(await channel.ended).toEqual({ kind: "exited", code: 0 });
  return text;
}

const where = (): string => `[${host.address}]:${host.port}`;
async function known(name: string, text: string): Promise<string> {
  const path = join(host.directory, `known-${name}`);
  await writeFile(path, text);
  return path;
}

test("a known host is reached", async () => {
  expect(await words(await reach(host.settings()), "echo hello")).toBe("hello\n");
});

test("a host in a hashed known_hosts is reached", async () => {
  const file = await known("hashed", `${where()} ${host.hostKey}\n`);
  await run("ssh-keygen", ["-q", "-H", "-f", file]);
  expect(await readFile(file, "utf8")).toMatch(/^\|1\|/);
  expect((await reach(host.settings({ knownHosts: file }))).alive).toBe(true);
});

test("an unknown host is refused with its fingerprint and the remedy, before anything of the user is sent", async () => {
  const before = (await host.log()).length;
  const error = await reach(host.settings({ knownHosts: "/nonexistent" })).catch((cause: unknown) => cause);
  expect(error).toMatchObject({
    name: "HostKeyError",
    presented: expect.stringMatching(/^SHA256:/) as unknown,
    message: expect.stringMatching(/ssh-keyscan.*accept-new/) as unknown,
  });
  expect((await host.log()).slice(before)).not.toMatch(/publickey|user root/);
});

test("a host with another key than the known one is refused with both fingerprints and gets no authentication request", async () => {
  const before = (await host.log()).length;
  const file = await known("wrong", `${where()} ${other.hostKey}\n`);
  const error = await reach(host.settings({ knownHosts: file, hostKeys: "accept-new" })).catch(
    (cause: unknown) => cause,
  );
  expect(error).toMatchObject({ name: "HostKeyError" });
  const { stdout } = await run("ssh-keygen", ["-l", "-f", join(host.directory, "host_key.pub")]);
  expect((error as Error).message).toContain(stdout.split(" ")[1]);
  expect((error as Error).message.match(/SHA256:/g)).toHaveLength(2);
  expect((await host.log()).slice(before)).not.toMatch(/publickey|user root/);
});

test("a revoked key, and a wildcard with a negation, are honoured", async () => {
  await expect(
    reach(
      host.settings({ knownHosts: await known("revoked", `${where()} ${host.hostKey}\n@revoked * ${host.hostKey}\n`) }),
    ),
  ).rejects.toThrow(/@revoked/);
  expect(
    (await reach(host.settings({ knownHosts: await known("wild", `[127.*]:${host.port} ${host.hostKey}\n`) }))).alive,
  ).toBe(true);
  await expect(
    reach(host.settings({ knownHosts: await known("not", `[127.*]:${host.port},!${where()} ${host.hostKey}\n`) })),
  ).rejects.toThrow(/the host key of .* is unknown/);
  await expect(
    reach(host.settings({ knownHosts: await known("ca", `@cert-authority * ${host.hostKey}\n`) })),
  ).rejects.toThrow(/certificates are not supported/);
});

test("accept-new pins on first contact and refuses another key later", async () => {
  const pins = memoryPins();
  const change = { knownHosts: "/nonexistent", hostKeys: "accept-new", pins } as const;
  await reach(host.settings(change));
  expect(pins.pinned.get(where())).toEqual([host.hostKey]);
  await reach(host.settings(change));
  pins.pinned.set(where(), [other.hostKey]);
  await expect(reach(host.settings(change))).rejects.toMatchObject({ name: "HostKeyError" });
});

test("a key that the machine does not take is final at once and named", async () => {
  const key = join(host.directory, "stranger");
  await makeKey(key);
  const proxy = await startProxy(host.address, host.port);
  try {
    const settings = host.settings({
      host: proxy.address,
      port: proxy.port,
      identities: [key],
      knownHosts: await known("stranger", `[${proxy.address}]:${proxy.port} ${host.hostKey}\n`),
    });
    await expect(reach(settings)).rejects.toMatchObject({
      name: "AuthenticationError",
      message: expect.stringContaining(key) as unknown,
    });
    expect(proxy.count).toBe(1);
  } finally {
    await proxy.stop();
  }
});

test("an encrypted key opens with the passphrase, and says what is missing without it", async () => {
  const locked = await startSshHost();
  try {
    await run("ssh-keygen", ["-q", "-p", "-P", "", "-N", "open sesame", "-f", locked.identity]);
    await expect(reach(locked.settings())).rejects.toThrow(/has a passphrase.*passphrase_env/);
    await expect(reach(locked.settings({ passphraseEnv: "TEST_PASSPHRASE" }))).rejects.toThrow(
      /set the environment variable TEST_PASSPHRASE/,
    );
    process.env["TEST_PASSPHRASE"] = "wrong";
    await expect(reach(locked.settings({ passphraseEnv: "TEST_PASSPHRASE" }))).rejects.toThrow(
      /does not open with the passphrase/,
    );
    process.env["TEST_PASSPHRASE"] = "open sesame";
    expect((await reach(locked.settings({ passphraseEnv: "TEST_PASSPHRASE" }))).alive).toBe(true);
    await expect(reach(locked.settings({ identities: ["/no/such/key"] }))).rejects.toThrow(
      /\/no\/such\/key does not exist/,
    );
  } finally {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await locked.stop();
  }
});

test("the agent's keys are offered", async () => {
  const socket = join(host.directory, "agent");
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  const before = process.env["SSH_AUTH_SOCK"];
  try {
    process.env["SSH_AUTH_SOCK"] = socket;
    await eventually("the agent takes the key", () =>
      run("ssh-add", ["-q", host.identity], { env: { ...process.env, SSH_AUTH_SOCK: socket } }).then(
        () => true,
        () => false,
      ),
    );
    expect((await reach(host.settings({ identities: [], agent: true }))).alive).toBe(true);
  } finally {
    agent.kill();
    if (before === undefined) delete process.env["SSH_AUTH_SOCK"];
    else process.env["SSH_AUTH_SOCK"] = before;
  }
});

test("machines behind a jump host share one connection to it, and its key is checked too", async () => {
  const proxy = await startProxy(other.address, other.port);
  try {
    const both = (bastionKey: string): string =>
      `${where()} ${host.hostKey}\n[${proxy.address}]:${proxy.port} ${bastionKey}\n`;
    const jump = { host: proxy.address, port: proxy.port, user: other.user };
    const jumpHosts = new JumpHostPool();
    const settings = host.settings({ jump, knownHosts: await known("jump", both(other.hostKey)) });
    const machines = await Promise.all([
      reach(settings, { jumpHosts }),
      reach(settings, { jumpHosts }),
      reach(settings, { jumpHosts }),
    ]);
    expect(await Promise.all(machines.map((machine) => words(machine, "echo hi")))).toEqual(["hi\n", "hi\n", "hi\n"]);
    expect(proxy.count).toBe(1);
    await expect(
      reach(host.settings({ jump, knownHosts: await known("jump-wrong", both(host.hostKey)) })),
    ).rejects.toThrow(/jump host: .*presents the host key/);
  } finally {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await proxy.stop();
  }
});

test("a machine that is not up yet is tried until it is", async () => {
  const proxy = await startProxy(host.address, host.port);
  proxy.refuse();
  const reaching = reach(
    host.settings({
      host: proxy.address,
      port: proxy.port,
      knownHosts: await known("late", `[${proxy.address}]:${proxy.port} ${host.hostKey}\n`),
    }),
  );
  const early = proxy.count;
  await eventually(
    "two more tries",
    () => proxy.count >= early + 2,
    20_000,
    () => `${proxy.count} tries`,
  );
  proxy.resume();
  expect((await reaching).alive).toBe(true);
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  await proxy.stop();
});

test("a machine that never answers is an error that tells what was tried", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => {
    silent.listen(0, "127.0.0.1", resolve);
  });
  const { port } = silent.address() as AddressInfo;
  await expect(reach(host.settings({ host: "127.0.0.1", port, connectTimeoutMs: 600 }))).rejects.toThrow(
    /127.0.0.1:\d+ could not be reached within 0.6 s.*no handshake within 0\.\d+ s: the machine sent nothing/,
  );
  silent.close();
  await expect(reach(host.settings({ host: "127.0.0.1", port, connectTimeoutMs: 600 }))).rejects.toThrow(
    /tried \d+ times\); last error: connect ECONNREFUSED/,
  );
});
