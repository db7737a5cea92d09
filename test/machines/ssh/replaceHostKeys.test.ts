/** Machines that are met for the first time: real sshds, each with an /etc/ssh of its own. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";
import { HostKeyError, type MachineConnection } from "../../../src/machines/contract/connection.js";
import type { MachineContact, SshSettings } from "../../../src/machines/ssh/settings.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import { makeKeyPair } from "../../../src/machines/ssh/keyPair.js";
import {
  hostKeysOf,
  logOf,
  machineFile,
  newHostKey,
  startMachine,
  stopMachine,
  type MachineParts,
} from "../../support/preparedMachine.js";
import { memoryPins, startSshHost } from "../../support/sshHost.js";
import { fingerprint } from "../../../src/machines/ssh/publicKeys.js";

const directories: string[] = [];
const connections: MachineConnection[] = [];
afterEach(async () => {
  for (const one of connections.splice(0)) await one.close();
  for (const one of directories.splice(0)) {
    await stopMachine(one);
    rmSync(one, { recursive: true, force: true });
  }
});

const user = makeKeyPair("test");
const PORT = 2222;
const anywhere = (): string =>
  `127.${1 + Math.floor(Math.random() * 250)}.${Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`;
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "bl-machine-"));
  directories.push(made);
  return made;
}

interface Machine {
  readonly directory: string;
  readonly address: string;
  readonly given: string;
}

/** A machine that was given a key; or somebody else at its address, with a key of theirs. */
async function machine(parts: Partial<MachineParts> = {}): Promise<Machine> {
  const directory = folder();
  const address = parts.address ?? anywhere();
  const { privateKey, publicKey } = newHostKey(directory);
  await startMachine({
    directory,
    address,
    port: PORT,
    hostKeys: { ed25519: privateKey },
    authorizedKeys: [user.publicKey],
    ...parts,
  });
  return { directory, address, given: publicKey };
}

type Remembered = MachineContact & { readonly keys: () => string[]; readonly isFinished: () => boolean };

function contact(hostKeys: readonly string[], change: Partial<MachineContact> = {}): Remembered {
  const pins = memoryPins();
  let finished = false;
  return {
    hostKeys,
    mayChange: true,
    pins: { find: async () => pins.find("*"), pin: async (_address, key) => pins.pin("*", key) },
    finished: async () => finished,
    finish: async () => {
      finished = true;
    },
    fingerprints: async () => null,
    keys: () => pins.pinned.get("*") ?? [],
    isFinished: () => finished,
    ...change,
  };
}

async function meet(
  { address }: Pick<Machine, "address">,
  known: MachineContact | null,
  change: Partial<SshSettings> = {},
): Promise<MachineConnection> {
  const connection = await connectSsh(
    {
      host: address,
      port: PORT,
      user: "root",
      workDirectory: ".",
      identities: [],
      passphraseEnv: null,
      env: process.env,
      agent: false,
      jump: null,
      hostKeys: "injected",
      knownHosts: "/nonexistent",
      connectTimeoutMs: 8000,
      keepaliveMs: 5000,
      pins: memoryPins(),
      contact: known,
      ownKey: user.privateKey,
      ...change,
    },
    {
      signal: new AbortController().signal,
      onWarning: (message) => {
        throw new Error(message);
      },
    },
  );
  connections.push(connection);
  return connection;
}

const refusal = (work: Promise<unknown>): Promise<HostKeyError> =>
  work.then(
    () => {
      throw new Error("it was let in");
    },
    (error: unknown) => error as HostKeyError,
  );
/** The machine has heard of no user: sshd says so, whatever came of it. */
const heardOfNobody = (directory: string): void => {
  expect(logOf(directory)).not.toMatch(/userauth-request|Accepted|Failed|userauth_/);
};

test("a machine makes its own keys, they are pinned, and the key that it was given is refused from then on", async () => {
  const host = await machine();
  const known = contact([host.given]);
  await meet(host, known);
  const own = hostKeysOf(host.directory);
  expect(logOf(host.directory)).toMatch(/userauth-request[\s\S]*Accepted/);
  expect(known.isFinished()).toBe(true);
  expect(known.keys()).toEqual(own);
  expect(own).not.toContain(host.given);
  expect(machineFile(host.directory, "etc/ssh/ssh_host_ed25519_key")).toContain("OPENSSH PRIVATE KEY");
  await meet(host, known);
  await stopMachine(host.directory);
  const impostor = await machine({
    address: host.address,
    hostKeys: { ed25519: readFileSync(join(host.directory, "given_ed25519"), "utf8") },
  });
  const error = await refusal(meet(host, known));
  expect(error).toBeInstanceOf(HostKeyError);
  expect(error.message).toContain(fingerprint(host.given));
  expect(error.expected).toEqual([fingerprint(own[0] ?? "")]);
  heardOfNobody(impostor.directory);
  expect(known.keys()).toEqual(own);
});

test("keys of every kind that the machine has are replaced", async () => {
  const directory = folder();
  const given = Object.fromEntries(["ed25519", "ecdsa", "rsa"].map((type) => [type, newHostKey(directory, type)]));
  const host = { directory, address: anywhere() };
  await startMachine({
    directory,
    address: host.address,
    port: PORT,
    hostKeys: Object.fromEntries(Object.entries(given).map(([type, key]) => [type, key.privateKey])),
    authorizedKeys: [user.publicKey],
  });
  const known = contact([given["ed25519"]?.publicKey ?? ""]);
  await meet(host, known);
  const own = hostKeysOf(directory, ["ed25519", "ecdsa", "rsa"]);
  expect([...known.keys()].sort()).toEqual([...own].sort());
  for (const { publicKey } of Object.values(given)) expect(own).not.toContain(publicKey);
});

test("a launcher that dies at any point goes on: keys that are staged stay, pinned ones are installed, and one that shows ends it", async () => {
  const host = await machine();
  const known = contact([host.given]);
  const die = (at: "pin" | "finish"): MachineContact => ({
    ...known,
    pins: {
      find: async (address) => known.pins.find(address),
      pin: async (address, key) => {
        if (at === "pin") throw new Error("dead");
        await known.pins.pin(address, key);
      },
    },
    finish: async () => {
      throw new Error("dead");
    },
  });
  await expect(meet(host, die("pin"))).rejects.toThrow("dead");
  expect([known.keys(), hostKeysOf(host.directory)]).toEqual([[], [host.given]]);
  const staged = machineFile(host.directory, "etc/ssh/ssh_host_ed25519_key.bl-new");
  await expect(meet(host, die("finish"))).rejects.toThrow("dead");
  expect(machineFile(host.directory, "etc/ssh/ssh_host_ed25519_key")).toBe(staged);
  expect(known.keys()).toEqual(hostKeysOf(host.directory));
  expect(known.isFinished()).toBe(false);
  await meet(host, known);
  expect(known.isFinished()).toBe(true);
  expect(known.keys()).toEqual(hostKeysOf(host.directory));
});

test("pinned keys that are not installed yet are installed as they are", async () => {
  const host = await machine();
  const known = contact([host.given]);
  const dead = {
    ...known,
    pins: {
      find: async (address: string) => known.pins.find(address),
      pin: async (address: string, key: string) => {
        await known.pins.pin(address, key);
        throw new Error("dead");
      },
    },
  };
  await expect(meet(host, dead)).rejects.toThrow("dead");
  const pinned = [...known.keys()];
  expect(hostKeysOf(host.directory)).toEqual([host.given]);
  await meet(host, known);
  expect([known.keys(), hostKeysOf(host.directory)]).toEqual([pinned, pinned]);
});

test("somebody else is refused at the first contact, with both fingerprints, and hears of no user", async () => {
  const host = await machine();
  const expected = newHostKey(host.directory).publicKey;
  const known = contact([expected]);
  const error = await refusal(meet(host, known));
  expect(error.message).toContain(fingerprint(host.given));
  expect(error.message).toContain(fingerprint(expected));
  expect([error.presented, error.expected]).toEqual([fingerprint(host.given), [fingerprint(expected)]]);
  heardOfNobody(host.directory);
  expect([known.keys(), known.isFinished()]).toEqual([[], false]);
});

test("a machine that was given no key is refused, and the possible settings are told", async () => {
  const host = await machine();
  const error = await refusal(meet(host, contact([])));
  expect(error.message).toMatch(/known-hosts, accept-new and.*console are possible/);
  expect((await refusal(meet(host, null))).message).toMatch(
    /existed before \(known-hosts and accept-new are possible\)/,
  );
  heardOfNobody(host.directory);
});

test("a command that changes nothing meets a machine by its first key and leaves it", async () => {
  const host = await machine();
  const known = contact([host.given], { mayChange: false });
  const connection = await meet(host, known);
  expect(connection.alive).toBe(true);
  expect([known.keys(), known.isFinished(), hostKeysOf(host.directory)]).toEqual([[], false, [host.given]]);
});

const withSudo = existsSync("/usr/bin/sudo") ? test : test.skip;

withSudo("a user with sudo does as well as root; one without is told so, and nothing is changed", async () => {
  const helped = await machine({ user: "helper", sudo: "yes" });
  const known = contact([helped.given]);
  await meet(helped, known, { user: "helper" });
  expect(known.keys()).toEqual(hostKeysOf(helped.directory));
  for (const [sudo, words] of [
    ["refuses", /sudo asks for a password/],
    ["absent", /sudo is missing there/],
  ] as const) {
    const alone = await machine({ user: "helper", sudo });
    const unknown = contact([alone.given]);
    await expect(meet(alone, unknown, { user: "helper" })).rejects.toThrow(words);
    expect([unknown.keys(), unknown.isFinished(), hostKeysOf(alone.directory)]).toEqual([[], false, [alone.given]]);
  }
});

test("a machine is believed by what its console shows; until it shows something nothing is said to it", async () => {
  const host = await machine();
  let asked = 0;
  const printed = contact([], { fingerprints: async () => (++asked < 3 ? null : [fingerprint(host.given)]) });
  await meet(host, printed, { hostKeys: "console" });
  expect(printed.keys()).toEqual([host.given]);
  await meet(host, printed, { hostKeys: "console" });
  expect(asked).toBe(3);
  await stopMachine(host.directory);
  const impostor = await machine({ address: host.address });
  expect((await refusal(meet(host, printed, { hostKeys: "console" }))).expected).toEqual([fingerprint(host.given)]);
  const fresh = contact([], { fingerprints: async () => [fingerprint(host.given)] });
  const error = await refusal(meet(host, fresh, { hostKeys: "console" }));
  expect([error.presented, error.expected]).toEqual([fingerprint(impostor.given), [fingerprint(host.given)]]);
  expect(error.message).toContain("its console shows");
  heardOfNobody(impostor.directory);
  expect(fresh.keys()).toEqual([]);
  await expect(meet(host, contact([]), { hostKeys: "console", connectTimeoutMs: 300 })).rejects.toThrow(
    /has not printed its host keys on its console yet/,
  );
  heardOfNobody(impostor.directory);
});

test("keys of which only some are installed: the others are installed too", async () => {
  const directory = folder();
  const [ed25519, rsa] = [newHostKey(directory), newHostKey(directory, "rsa")];
  const host = { directory, address: anywhere() };
  await startMachine({
    directory,
    address: host.address,
    port: PORT,
    hostKeys: { ed25519: ed25519.privateKey, rsa: rsa.privateKey },
    authorizedKeys: [user.publicKey],
  });
  const known = contact([ed25519.publicKey]);
  const dead = {
    ...known,
    pins: {
      find: async (address: string) => known.pins.find(address),
      pin: async (address: string, key: string) => {
        await known.pins.pin(address, key);
        if (known.keys().length === 2) throw new Error("dead");
      },
    },
  };
  await expect(meet(host, dead)).rejects.toThrow("dead");
  const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
  const key = `/proc/${pid}/root/etc/ssh/ssh_host_ed25519_key`;
  writeFileSync(`${key}.pub`, execFileSync("ssh-keygen", ["-y", "-f", `${key}.bl-new`]));
  renameSync(`${key}.bl-new`, key);
  process.kill(pid, "SIGHUP");
  const pinned = [...known.keys()].sort();
  await meet(host, known);
  expect([[...known.keys()].sort(), [...hostKeysOf(directory, ["ed25519", "rsa"])].sort()]).toEqual([pinned, pinned]);
});

test("known_hosts counts as everywhere: its key ends the first contact, a revoked one is refused", async () => {
  const host = await machine();
  const address = `[${host.address}]:${PORT}`;
  const known = contact([newHostKey(host.directory).publicKey]);
  const file = join(host.directory, "known_hosts");
  writeFileSync(file, `${address} ${host.given}\n`);
  await meet(host, known, { knownHosts: file });
  expect([known.isFinished(), known.keys(), hostKeysOf(host.directory)]).toEqual([true, [], [host.given]]);
  writeFileSync(file, `@revoked ${address} ${host.given}\n`);
  expect((await refusal(meet(host, contact([host.given]), { knownHosts: file }))).message).toContain("@revoked");
});

test("a bastion is one that was there before: the machine's own policy counts behind it", async () => {
  const host = await machine();
  const bastion = await startSshHost({ config: "AllowTcpForwarding yes" });
  try {
    writeFileSync(join(bastion.directory, "authorized_keys"), `${user.publicKey}\n`);
    const jump = { host: bastion.address, port: bastion.port, user: bastion.user };
    const known = contact([host.given]);
    const error = await refusal(meet(host, known, { jump }));
    expect(error.message).toMatch(/^jump host: the host key of .* is unknown.*existed before/);
    expect(await bastion.log()).not.toMatch(/Accepted|Failed/);
    await meet(host, known, { jump, knownHosts: bastion.knownHosts });
    expect([known.isFinished(), known.keys()]).toEqual([true, hostKeysOf(host.directory)]);
  } finally {
    for (const one of connections.splice(0)) await one.close();
    await bastion.stop();
  }
});
