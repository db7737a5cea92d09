/** Keys as people have them: locked and in an agent, public halves only, in openssl's format, or too many. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { appendFileSync, copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import type { SshSettings } from "../../../../src/machines/ssh/settings.js";
import { publicKeys } from "../../../../src/machines/ssh/publicKeys.js";
import { exitOf } from "../../../support/children.js";
import { eventually } from "../../../support/eventually.js";
import { makeKey } from "../../../support/sshHost.js";
import { temporaryDirectory } from "../../../support/temporaryDirectory.js";
import { hostile, reach, refusal, untilTheEnd } from "./harness.js";
import type { HostileHost } from "./hostileHost.js";

/** An agent that holds these keys, in this order. @returns the settings that use it. */
async function agentWith(...keys: readonly string[]): Promise<Partial<SshSettings>> {
  const socket = join(temporaryDirectory(), "agent");
  const agent: ChildProcess = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  untilTheEnd({
    async stop() {
      agent.kill();
      await exitOf("the agent", agent);
    },
  });
  await eventually("the agent listens", () => existsSync(socket));
  const env = { ...process.env, SSH_AUTH_SOCK: socket };
  for (const key of keys) execFileSync("ssh-add", ["-q", key], { env });
  return { agent: true, env: { HOME: "/nonexistent", SSH_AUTH_SOCK: socket } };
}

/** Locks the host's key with a passphrase, after an unlocked copy was made. */
function lock(host: HostileHost): { readonly unlocked: string; readonly locked: string } {
  const unlocked = join(host.directory, "unlocked");
  copyFileSync(host.identity, unlocked);
  execFileSync("ssh-keygen", ["-q", "-p", "-P", "", "-N", "open sesame", "-f", host.identity]);
  return { unlocked, locked: host.identity };
}

/** A key of its own that the host accepts. */
function accept(host: HostileHost, path: string): string {
  appendFileSync(join(host.directory, "authorized_keys"), execFileSync("ssh-keygen", ["-y", "-f", path]));
  return path;
}

async function strangers(count: number): Promise<string[]> {
  const directory = temporaryDirectory();
  const paths = Array.from({ length: count }, (_, index) => join(directory, `stranger-${index}`));
  for (const path of paths) await makeKey(path);
  return paths;
}

test("an identity with a passphrase is used through the agent that holds it, before the agent's other keys", async () => {
  const host = await hostile({ config: "MaxAuthTries 1" });
  const { unlocked, locked } = lock(host);
  const agent = await agentWith(...(await strangers(3)), unlocked);
  expect((await reach(host.settings({ ...agent, identities: [locked] }))).alive).toBe(true);
});

test("an identity with a passphrase that no agent holds says what is possible", async () => {
  const host = await hostile();
  const { locked } = lock(host);
  const agent = await agentWith(...(await strangers(1)));
  expect(await refusal(reach(host.settings({ ...agent, identities: [locked] })))).toMatch(
    /has a passphrase: .*passphrase_env.*or load the key into the agent/,
  );
  const { unlocked } = { unlocked: join(host.directory, "unlocked") };
  const off = { ...(await agentWith(unlocked)), agent: false };
  expect(await refusal(reach(host.settings({ ...off, identities: [locked] })))).toMatch(/has a passphrase/);
});

test("the public half as identity chooses the agent's key, and needs one", async () => {
  const host = await hostile({ config: "MaxAuthTries 1" });
  const agent = await agentWith(...(await strangers(3)), host.identity);
  const named = host.settings({ ...agent, identities: [`${host.identity}.pub`] });
  expect((await reach(named)).alive).toBe(true);
  const half = execFileSync("ssh-keygen", ["-y", "-f", host.identity], { encoding: "utf8" }).split(" ").slice(0, 2);
  expect(await publicKeys(named)).toEqual([{ key: half.join(" "), label: `${host.identity}.pub` }]);
  const empty = { ...named, ...(await agentWith()) };
  expect(await refusal(reach(empty))).toMatch(/\.pub is a public key, and no agent holds its private half: .*ssh-add/);
  await expect(publicKeys(empty)).rejects.toThrow(/no agent holds its private half/);
});

test.each([
  ["an RSA key", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]],
  ["an ECDSA key", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
  ["an Ed25519 key", ["-algorithm", "ED25519"]],
])("%s in openssl's format (PKCS#8) opens, encrypted or not", async (_, options) => {
  const host = await hostile();
  const [plain, locked] = ["plain.pem", "locked.pem"].map((name) => join(host.directory, name)) as [string, string];
  execFileSync("openssl", ["genpkey", ...options, "-out", plain], { stdio: "ignore" });
  execFileSync("openssl", ["pkcs8", "-topk8", "-in", plain, "-out", locked, "-passout", "pass:open sesame"]);
  execFileSync("chmod", ["600", plain, locked]);
  const half = opensshHalf(plain);
  appendFileSync(join(host.directory, "authorized_keys"), `${half}\n`);
  expect((await reach(host.settings({ identities: [plain] }))).alive).toBe(true);
  const settings = host.settings({ identities: [locked], passphraseEnv: "WORDS", env: { WORDS: "open sesame" } });
  expect((await reach(settings)).alive).toBe(true);
  expect(await publicKeys(settings)).toEqual([{ key: half, label: locked }]);
  expect(await refusal(reach({ ...settings, env: {} }))).toMatch(
    /has a passphrase: set the environment variable WORDS/,
  );
  expect(await refusal(reach({ ...settings, env: { WORDS: "wrong" } }))).toMatch(/does not open with the passphrase/);
});

/** What OpenSSH makes of it; it cannot read Ed25519 keys in this format, whose public half is the end of the DER form. */
function opensshHalf(path: string): string {
  const pub = execFileSync("openssl", ["pkey", "-in", path, "-pubout"]);
  const der = execFileSync("openssl", ["pkey", "-pubin", "-outform", "DER"], { input: pub });
  if (der.length === 44) {
    const blob = Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.from([0, 0, 0, 32])]);
    return `ssh-ed25519 ${Buffer.concat([blob, der.subarray(-32)]).toString("base64")}`;
  }
  const input = join(temporaryDirectory(), "public.pem");
  writeFileSync(input, pub);
  return execFileSync("ssh-keygen", ["-i", "-m", "PKCS8", "-f", input], { encoding: "utf8" }).trim();
}

test("a key type that SSH does not have is named", async () => {
  const host = await hostile();
  const path = join(host.directory, "x25519.pem");
  execFileSync("openssl", ["genpkey", "-algorithm", "X25519", "-out", path]);
  expect(await refusal(reach(host.settings({ identities: [path] })))).toMatch(
    /x25519.pem cannot be read: SSH has no keys of the type x25519/,
  );
});

test("an agent with many keys before the right one: the number of tries is the cause, and the way out is told", async () => {
  const host = await hostile({ config: "MaxAuthTries 3" });
  const agent = await agentWith(...(await strangers(5)), host.identity);
  const message = await refusal(reach(host.settings({ ...agent, identities: [] })));
  expect(message).toMatch(/ended the login after too many keys \(MaxAuthTries.*\).*6 keys of the agent at /);
  expect(message).toMatch(/ssh: \{ identity: … \}.*ssh: \{ agent: false \}/);
  expect(message).not.toContain("authorized_keys");
  // The named one is tried first.
  expect((await reach(host.settings({ ...agent, identities: [host.identity] }))).alive).toBe(true);
});

test("a key file is not offered again by the agent", async () => {
  const host = await hostile({ config: "MaxAuthTries 2" });
  const [stranger = ""] = await strangers(1);
  const other = accept(host, join(host.directory, "host_key"));
  const agent = await agentWith(stranger, other);
  expect((await reach(host.settings({ ...agent, identities: [stranger] }))).alive).toBe(true);
});

test("a server that wants more than a key says so", async () => {
  const host = await hostile({
    config: "AuthenticationMethods publickey,password\nPasswordAuthentication yes",
  });
  expect(await refusal(reach(host.settings()))).toMatch(
    /took a key but wants more than that \(it accepts password\): .*AuthenticationMethods/,
  );
});
