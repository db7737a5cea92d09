/** Whom a new machine is told to let in: the public halves of what will be offered to it. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { beforeEach, expect, test } from "@jest/globals";
import { loadIdentities } from "../../../src/machines/ssh/identities.js";
import { makeKeyPair } from "../../../src/machines/ssh/keyPair.js";
import { publicKeys } from "../../../src/machines/ssh/publicKeys.js";
import { makeKey } from "../../support/sshHost.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

let directory = "";
let who: Parameters<typeof publicKeys>[0];
beforeEach(() => {
  directory = temporaryDirectory();
  mkdirSync(join(directory, ".ssh"), { recursive: true });
  who = { identities: [], passphraseEnv: null, agent: true, env: { HOME: directory } };
});

const half = (path: string): string => readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ");

test("without anything there is nobody", async () => {
  expect(await publicKeys(who)).toEqual([]);
});

test("the usual files count as far as they need no passphrase, in the order in which they are offered", async () => {
  const [rsa, ecdsa, ed25519] = ["id_rsa", "id_ecdsa", "id_ed25519"].map((name) => join(directory, ".ssh", name)) as [
    string,
    string,
    string,
  ];
  await makeKey(rsa, { type: "rsa" });
  await makeKey(ecdsa, { type: "ecdsa", passphrase: "words" });
  await makeKey(ed25519);
  expect(await publicKeys(who)).toEqual([
    { key: half(ed25519), label: ed25519 },
    { key: half(rsa), label: rsa },
  ]);
  const offered = await loadIdentities({ ...who, ownKey: null });
  expect(offered.map(({ label }) => label)).toEqual([ed25519, rsa]);
});

test.each([
  ["OPENSSH", []],
  ["PEM", ["-m", "PEM"]],
])("a named identity with a passphrase tells its public half: %s", async (format, options) => {
  const path = join(directory, "named");
  execFileSync("ssh-keygen", ["-q", "-t", "rsa", ...options, "-N", "words words", "-f", path]);
  const expected = half(path);
  expect(await publicKeys({ ...who, identities: [path] })).toEqual([{ key: expected, label: path }]);
  rmSync(`${path}.pub`);
  // What a PEM file holds is all locked away.
  if (format === "OPENSSH")
    expect(await publicKeys({ ...who, identities: [path] })).toEqual([{ key: expected, label: path }]);
  else await expect(publicKeys({ ...who, identities: [path] })).rejects.toThrow(/ssh-keygen -y -f/);
  const env = { ...who.env, WORDS: "words words" };
  expect(await publicKeys({ ...who, env, identities: [path], passphraseEnv: "WORDS" })).toEqual([
    { key: expected, label: path },
  ]);
});

test("an identity that is no private key, or is not there, is told before anything is launched", async () => {
  const path = join(directory, "named");
  await makeKey(path);
  await expect(publicKeys({ ...who, identities: [`${path}.pub`] })).rejects.toThrow(
    "is a public key, and no agent holds its private half: load that (ssh-add), or name the private key instead",
  );
  await expect(publicKeys({ ...who, identities: ["/nowhere"] })).rejects.toThrow("/nowhere does not exist");
  writeFileSync(path, "nonsense");
  chmodSync(path, 0o600);
  rmSync(`${path}.pub`);
  await expect(publicKeys({ ...who, identities: [path] })).rejects.toThrow("does not reveal its public half");
});

test("a key of our own proves itself, each time another one", async () => {
  const pairs = Array.from({ length: 20 }, () => makeKeyPair("bootlevel test"));
  expect(new Set(pairs.map(({ publicKey }) => publicKey)).size).toBe(20);
  for (const { publicKey, privateKey } of pairs) {
    writeFileSync(join(directory, "own"), privateKey, { mode: 0o600 });
    expect(execFileSync("ssh-keygen", ["-y", "-f", join(directory, "own")], { encoding: "utf8" })).toContain(publicKey);
    rmSync(join(directory, "own"));
  }
  const [own] = await loadIdentities({ ...who, agent: false, ownKey: pairs[0]?.privateKey ?? "" });
  expect(own).toMatchObject({ kind: "key", label: "the run's own key" });
});
