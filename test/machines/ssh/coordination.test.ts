/** Programs that talk to their launcher over SSH. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClosableLink } from "../../../src/machines/contract/link.js";
import { createLink } from "../../support/createLink.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { recoverProgram } from "../../../src/machines/program/recoverProgram.js";
import { makeKeyPair } from "../../../src/machines/ssh/keyPair.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import { bundleOf, requestFor } from "../../support/localHost.js";
import { newHostKey, startMachine, stopMachine } from "../../support/preparedMachine.js";
import { memoryPins, startProxy, startSshHost, type SshHost, type TcpProxy } from "../../support/sshHost.js";
import { attributes, usersOf } from "../../support/coordination.js";
import { until } from "../../support/eventually.js";
import { randomBytes } from "../../support/seed.js";

let host: SshHost;
let directory: string;
let proxy: TcpProxy;
let link: ClosableLink;

beforeAll(async () => {
  host = await startSshHost();
});
afterAll(async () => {
  await host.stop();
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bl-talk-"));
  proxy = await startProxy(host.address, host.port);
  link = linkTo();
});
afterEach(async () => {
  await link.close();
  await proxy.stop();
  rmSync(directory, { recursive: true, force: true });
});

const refuseWarnings = (message: string): void => {
  throw new Error(message);
};

function linkTo(): ClosableLink {
  const knownHosts = join(directory, "known_hosts");
  return createLink(async () => {
    writeFileSync(knownHosts, `[${proxy.address}]:${proxy.port} ${host.hostKey}\n`);
    return connectSsh(host.settings({ host: proxy.address, port: proxy.port, knownHosts, keepaliveMs: 1000 }), {
      signal: new AbortController().signal,
      onWarning: refuseWarnings,
    });
  });
}

const step = (name: string, file: string): string => join(host.directory, "steps", name, file);
const program = (...lines: readonly string[]) =>
  bundleOf(directory, ["#!/bin/sh", 'echo "$BOOTLEVEL_COORDINATION" >rt', ...lines, ""].join("\n"));

test("a value of 1 MB arrives as it was set, and nothing is left", async () => {
  const talk = attributes();
  const value = randomBytes(1_000_000);
  writeFileSync(join(directory, "value"), value);
  const request = requestFor(
    await program('bl set big <"$1"; bl get big --raw | cmp - "$1" && echo same; bl get unset --no-wait; echo $?'),
    { coordination: talk.handler, args: [join(directory, "value")] },
  );
  expect(await runProgram(link, request)).toMatchObject({ kind: "exited", code: 0 });
  expect(request.text()).toBe("same\nbl: not set\n1\n");
  expect(talk.values.get("big")?.equals(value)).toBe(true);
  expect(proxy.count).toBe(1);
  await link.close();
  const runtime = readFileSync(step(request.directory, "rt"), "utf8").trim();
  expect(existsSync(runtime)).toBe(false);
  await until(() => usersOf(runtime).length === 0);
});

test("twenty programs on one host wait for each other", async () => {
  const talk = attributes();
  const bundle = await program(
    "bl barrier all --parties 20 --timeout 0 && bl set done$1 $1 && bl get done$2 --timeout 0",
  );
  const requests = Array.from({ length: 20 }, (_, index) =>
    requestFor(bundle, { coordination: talk.handler, args: [String(index), String((index + 1) % 20)] }),
  );
  const results = await Promise.all(requests.map((request) => runProgram(link, request)));
  expect(results.every((result) => result.kind === "exited" && result.code === 0)).toBe(true);
  expect(requests.map((request) => request.text())).toEqual(requests.map((_, index) => `${(index + 1) % 20}\n`));
  // Five connections have forty channels.
  expect(proxy.count).toBe(5);
});

test("when a connection breaks, whoever waits asks over the next one, and is answered there", async () => {
  const talk = attributes();
  const request = requestFor(
    await program(
      "for i in 1 2 3; do { bl get later --timeout 0 >value.$i; echo $? >code.$i; } & done; until [ -e go ]; do sleep 0.02; done; bl set later now; wait; bl get later >got",
    ),
    { coordination: talk.handler },
  );
  const running = runProgram(link, request);
  await until(() => talk.requests.length === 3);
  const runtime = readFileSync(step(request.directory, "rt"), "utf8").trim();
  const relay = (): string => readFileSync(join(runtime, "talk"), "utf8");
  const before = relay();
  proxy.cut();
  await until(() => relay() !== before && relay().endsWith("\n"));
  await until(() => talk.requests.length === 6);
  writeFileSync(step(request.directory, "go"), "");
  expect(await running).toMatchObject({ kind: "exited", code: 0 });
  for (const index of [1, 2, 3]) {
    expect(readFileSync(step(request.directory, `code.${index}`), "utf8")).toBe("0\n");
    expect(readFileSync(step(request.directory, `value.${index}`), "utf8")).toBe("now\n");
  }
  expect(readFileSync(step(request.directory, "got"), "utf8")).toBe("now\n");
  await link.close();
  expect(existsSync(runtime)).toBe(false);
  await until(() => usersOf(runtime).length === 0);
});

test("a launcher that comes later answers the program of one that was lost", async () => {
  const [first, second] = [attributes(), attributes()];
  const request = requestFor(await program("until [ -e go ]; do sleep 0.02; done; bl get a; bl set b 2"), {
    coordination: first.handler,
  });
  const controller = new AbortController();
  const dead = runProgram(link, { ...request, signal: controller.signal }).catch((error: unknown) => error);
  await until(() => existsSync(step(request.directory, "rt")));
  await link.close();
  second.values.set("a", Buffer.from("from the second"));
  const later = linkTo();
  const recovering = recoverProgram(later, { ...request, coordination: second.handler });
  const runtime = readFileSync(step(request.directory, "rt"), "utf8").trim();
  await until(() => readFileSync(join(runtime, "talk"), "utf8").trim().includes(" "));
  writeFileSync(step(request.directory, "go"), "");
  expect(await recovering).toMatchObject({ kind: "exited", code: 0 });
  expect([first.requests.length, second.values.get("b")?.toString()]).toEqual([0, "2"]);
  controller.abort();
  await dead;
  await later.close();
  expect(existsSync(runtime)).toBe(false);
  await until(() => usersOf(runtime).length === 0);
});

test("a program under sudo talks through the relay of a user who is not root", async () => {
  const machine = join(directory, "machine");
  const address = `127.${1 + Math.floor(Math.random() * 250)}.7.1`;
  const [{ privateKey, publicKey }, user] = [newHostKey(machine), makeKeyPair("test")];
  await startMachine({
    directory: machine,
    address,
    port: 2222,
    hostKeys: { ed25519: privateKey },
    authorizedKeys: [user.publicKey],
    user: "helper",
    sudo: "yes",
  });
  const knownHosts = join(directory, "known");
  writeFileSync(knownHosts, `[${address}]:2222 ${publicKey}\n`);
  const settings = {
    host: address,
    port: 2222,
    user: "helper",
    workDirectory: "steps",
    identities: [],
    passphraseEnv: null,
    env: process.env,
    agent: false,
    jump: null,
    hostKeys: "known-hosts" as const,
    knownHosts,
    connectTimeoutMs: 8000,
    keepaliveMs: 5000,
    pins: memoryPins(),
    contact: null,
    ownKey: user.privateKey,
  };
  const other = createLink(() =>
    connectSsh(settings, { signal: new AbortController().signal, onWarning: refuseWarnings }),
  );
  try {
    const talk = attributes();
    const lines = [
      "id -u; bl set a 'of root'; bl get a; bl get never --timeout 0.1; echo $?; echo $BOOTLEVEL_COORDINATION",
    ];
    for (const sudo of [true, false]) {
      const request = requestFor(await program(...lines), { coordination: talk.handler, sudo });
      expect(await runProgram(other, request)).toMatchObject({ kind: "exited", code: 0 });
      const [id, , code, runtime = ""] = request.text().replace("bl: timed out\n", "").trim().split("\n");
      expect(request.text()).toContain("\nof root\n");
      expect([id === "0", code]).toEqual([sudo, "9"]);
      await other.idle();
      expect(existsSync(runtime)).toBe(false);
    }
  } finally {
    await other.close();
    await stopMachine(machine);
  }
});
