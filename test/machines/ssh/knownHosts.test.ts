import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { readKnownHosts } from "../../../src/machines/ssh/knownHosts.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bl-known-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function file(text: string): string {
  const path = join(directory, "known_hosts");
  writeFileSync(path, text);
  return path;
}

const hashed = (host: string): string =>
  `|1|c2FsdA==|${createHmac("sha1", Buffer.from("c2FsdA==", "base64")).update(host).digest("base64")}`;

test("lines by name, list, pattern and hash all count, and none of another host", async () => {
  const path = file(`# all kinds
web.example ssh-ed25519 NAME
db.example,WEB.example ssh-ed25519 LIST
web.* ssh-rsa PATTERN
web.*,!web.example ssh-rsa NOT
${hashed("web.example")} ssh-rsa HASH
${hashed("db.example")} ssh-rsa OTHER
@revoked web.example ssh-rsa REVOKED
@cert-authority *.example ssh-rsa AUTHORITY
[web.example]:2222 ssh-rsa PORT
web.example,web.example ssh-rsa TWICE
`);
  const { keys, revoked, authorities } = await readKnownHosts([path], "Web.example");
  expect([...keys].sort()).toEqual([
    "ssh-ed25519 LIST",
    "ssh-ed25519 NAME",
    "ssh-rsa HASH",
    "ssh-rsa PATTERN",
    "ssh-rsa TWICE",
  ]);
  expect({ revoked, authorities }).toEqual({ revoked: ["ssh-rsa REVOKED"], authorities: true });
  expect((await readKnownHosts([path], "[web.example]:2222")).keys).toEqual(["ssh-rsa PORT"]);
});

test("a file that is changed, removed or made counts from then on", async () => {
  const path = file("web ssh-ed25519 OLD\n");
  const keys = async (): Promise<readonly string[]> => (await readKnownHosts([path], "web")).keys;
  expect(await keys()).toEqual(["ssh-ed25519 OLD"]);
  file("web ssh-ed25519 NEWER\n");
  expect(await keys()).toEqual(["ssh-ed25519 NEWER"]);
  rmSync(path);
  expect(await keys()).toEqual([]);
  file("web ssh-ed25519 AGAIN\n");
  expect(await keys()).toEqual(["ssh-ed25519 AGAIN"]);
});
