/**
 * New machines of a cloud that prepares them: whom they let in, how they are recognised, and what a later command
 * finds.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { clearKeys, contactHead, contactMachines, contactRequests } from "../support/contactCloudModule.js";
import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { levels, shownServices, tell, told } from "../support/liveRun.js";
import { hostKeysOf, logOf, newHostKey, startMachine, stopMachine } from "../support/preparedMachine.js";
import { makeKey } from "../support/sshHost.js";

const agents: ChildProcess[] = [];
const impostors: string[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.kill();
  for (const directory of impostors.splice(0)) await stopMachine(directory);
});

async function agentWith(own: Installation, key: string): Promise<string> {
  const socket = join(own.directory, "a.sock");
  agents.push(spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" }));
  await eventually("the agent listens", () => existsSync(socket));
  execFileSync("ssh-add", ["-q", key], { env: { SSH_AUTH_SOCK: socket }, stdio: "ignore" });
  return socket;
}

const publicKey = (path: string): string => readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
const planOf = (own: Installation, head: string, name = "first"): string =>
  own.plan(levels(name, [`a: { boot: { command: "${tell(own, "a")}" }, ready: { command: "true" } }`], head), {}, name);
const pinned = (own: Installation): string[] =>
  query(own, "SELECT key FROM host_keys WHERE scope LIKE 'contact-cloud m-%' AND address = '*'");

function query(own: Installation, sql: string): string[] {
  const db = new Database(join(own.home, "bootlevel.db"), { readonly: true });
  try {
    return db.prepare(sql).pluck().all() as string[];
  } finally {
    db.close();
  }
}

test("without any key a run gets its own: later commands use it, no file shows it, and it goes with the run", async () => {
  const own = installation();
  const { head } = await contactHead();
  expect(await own.json(["boot", planOf(own, head), "--name", "first"])).toMatchObject({
    code: 0,
    document: { state: "ready" },
  });
  expect(told(own)).toEqual(["a"]);
  const [machine] = contactMachines(own.home);
  expect(pinned(own)).toEqual(hostKeysOf(machine ?? ""));
  expect(contactRequests(own.home)).toMatchObject([
    { hostKey: true, authorizedKeys: [expect.stringMatching(/^ssh-ed25519 /)] },
  ]);
  expect(clearKeys(own.home)).toEqual([]);
  expect(query(own, "SELECT public FROM run_keys")).toEqual(contactRequests(own.home)[0]?.authorizedKeys);
  expect((await own.call(["status", "first"])).code).toBe(0);
  expect((await own.call(["rerun", "first", "a"])).code).toBe(0);
  expect((await own.call(["terminate", "first", "--yes"])).code).toBe(0);
  expect(query(own, "SELECT public FROM run_keys")).toEqual([]);
});

test("an agent's key is let in; a later command without the agent is told whose key it was", async () => {
  const own = installation();
  const { head } = await contactHead();
  const key = join(own.directory, "key");
  await makeKey(key);
  const env = { SSH_AUTH_SOCK: await agentWith(own, key) };
  expect((await own.call(["boot", planOf(own, head), "--name", "first"], { env })).code).toBe(0);
  expect(contactRequests(own.home)).toEqual([{ hostKey: true, authorizedKeys: [publicKey(key)] }]);
  expect((await own.call(["status", "first"], { env })).code).toBe(0);
  const cron = await own.json(["status", "first"]);
  expect(cron.code).toBe(1);
  expect(cron.document.services[0]).toMatchObject({
    trouble: "refused",
    message: expect.stringMatching(
      /launched with these keys.*SHA256:.*the agent at .*cron has no agent: name a key file with ssh: \{ identity \}/,
    ),
  });
  expect((await own.call(["terminate", "first", "--yes"], { env })).code).toBe(0);
});

test("an identity with a passphrase tells its public half without it; the private one opens with the variable", async () => {
  const own = installation();
  const key = join(own.directory, "locked");
  await makeKey(key, { passphrase: "secret words" });
  const expected = publicKey(key);
  rmSync(`${key}.pub`);
  const { head } = await contactHead("", `, identity: "${key}", passphrase_env: WORDS, agent: false`);
  const closed = await own.json(["boot", planOf(own, head), "--name", "first"]);
  expect(closed.document.failures[0]).toMatchObject({
    step: "connect",
    message: expect.stringContaining("set the environment variable WORDS"),
  });
  expect(contactRequests(own.home)).toEqual([{ hostKey: true, authorizedKeys: [expected] }]);
  expect((await own.call(["boot", "--resume", "first"], { env: { WORDS: "secret words" } })).code).toBe(0);
  expect(clearKeys(own.home)).toEqual([]);
});

test("an address that another machine had is no matter; who shows that machine's key there, or its first one, is refused", async () => {
  const own = installation();
  const { head, address } = await contactHead();
  expect((await own.call(["boot", planOf(own, head), "--name", "first"])).code).toBe(0);
  const [before] = pinned(own);
  const [old] = contactMachines(own.home);
  const first = readFileSync(join(old ?? "", "given_ed25519"), "utf8");
  expect((await own.call(["reboot", "first", "--yes"])).code).toBe(0);
  expect(pinned(own)).toHaveLength(2);
  const [current] = contactMachines(own.home);
  expect(hostKeysOf(current ?? "")).not.toEqual([before]);
  expect((await own.call(["status", "first"])).code).toBe(0);
  // The machine goes down behind the cloud's back, and somebody who has read what it was given takes its place.
  await stopMachine(current ?? "");
  for (const [name, key] of [
    ["given", readFileSync(join(current ?? "", "given_ed25519"), "utf8")],
    ["old", first],
    ["new", newHostKey(own.directory).privateKey],
  ] as const) {
    const directory = join(own.directory, name);
    impostors.push(directory);
    await startMachine({
      directory,
      address,
      port: 2222,
      hostKeys: { ed25519: key },
      authorizedKeys: contactRequests(own.home)[1]?.authorizedKeys ?? [],
    });
    const { document } = await own.json(["status", "first"]);
    expect(document.services[0]).toMatchObject({
      trouble: "refused",
      message: expect.stringMatching(/presents the host key SHA256:.*but the known key is SHA256:/),
    });
    expect(logOf(directory)).not.toMatch(/userauth-request|Accepted/);
    await stopMachine(directory);
  }
  expect(pinned(own)).toHaveLength(2);
});

test("a console that shows another key: the boot fails with both fingerprints, nothing is pinned, and the cloud was asked once", async () => {
  const own = installation();
  const { head } = await contactHead(', console: "SHA256:somebody"', ", host_keys: console");
  const { document } = await own.json(["boot", planOf(own, head), "--name", "first"]);
  expect(document.failures[0]).toMatchObject({
    step: "connect",
    message: expect.stringMatching(/presents the host key SHA256:.*its console shows SHA256:somebody/),
  });
  expect(contactRequests(own.home)).toMatchObject([{ hostKey: false }]);
  expect(pinned(own)).toEqual([]);
  expect(logOf(contactMachines(own.home)[0] ?? "")).not.toMatch(/userauth-request/);
  expect(readFileSync(join(own.home, "drivers/contact-cloud/questions"), "utf8").trim().split("\n")).toHaveLength(1);
});

/** A cloud-init that says what it is told to, and counts how often it is asked. */
function cloudInit(own: Installation, wait: string): string {
  const bin = join(own.directory, "bin");
  mkdirSync(bin);
  const text = `#!/bin/sh
case "$*" in
  "status --wait") echo waited >>'${own.facts}/asked'; echo boom >/var/log/cloud-init-output.log; ${wait} ;;
  "status --long") printf 'status: error\\nextended_status: error - done\\ndetail:\\nDataSourceNone\\nerrors:\\n\\t- (runcmd) it fell over\\n' ;;
esac
`;
  // Whole or not at all, also for whoever runs it.
  writeFileSync(join(bin, "draft"), text, { mode: 0o755 });
  renameSync(join(bin, "draft"), join(bin, "cloud-init"));
  return `, bin: "${bin}"`;
}

const steps = async (own: Installation): Promise<{ step: string; outcome: string }[]> => {
  const { document } = await own.json(["events", "first"]);
  const events = document.events as { type: string; data: { step: string; outcome: string } }[];
  return events
    .filter(({ type }) => type === "step-finished")
    .map(({ data: { step, outcome } }) => ({ step, outcome }));
};

test("cloud-init is waited for once a machine, as a step of its own", async () => {
  const own = installation();
  const { head } = await contactHead(cloudInit(own, `until test -f '${own.facts}/go'; do sleep 0.05; done`));
  const boot = own.start(["boot", planOf(own, head), "--name", "first"]);
  await eventually("cloud-init is waited for", () => own.fact("asked") !== null);
  expect(Object.values(await shownServices(own, "first"))).toMatchObject([{ state: "connecting" }]);
  expect(own.fact("ran")).toBeNull();
  writeFileSync(join(own.facts, "go"), "");
  expect((await boot.ended).code).toBe(0);
  expect((await steps(own)).slice(0, 4)).toEqual([
    { step: "launch", outcome: "launched" },
    { step: "connect", outcome: "connected" },
    { step: "prepare", outcome: "prepared" },
    { step: "boot", outcome: "exited" },
  ]);
  expect((await own.call(["rerun", "first", "a"])).code).toBe(0);
  expect(own.fact("asked")).toBe("waited\n");
});

test("a cloud-init that went on after errors is a warning with its reason", async () => {
  const own = installation();
  const { head } = await contactHead(cloudInit(own, "exit 2"));
  const ended = await own.call(["boot", planOf(own, head), "--name", "first"]);
  expect(ended.code).toBe(0);
  expect(`${ended.stdout}${ended.stderr}`).toContain("cloud-init went on after errors: (runcmd) it fell over");
});

test("a cloud-init that failed is the service's failure, with its own words; nothing is booted", async () => {
  const own = installation();
  const { head } = await contactHead(cloudInit(own, "exit 1"));
  const { code, document } = await own.json(["boot", planOf(own, head), "--name", "first"]);
  expect(code).toBe(1);
  expect(document.failures[0]).toMatchObject({
    step: "prepare",
    message: "cloud-init failed with exit code 1: (runcmd) it fell over",
    exitCode: 1,
    lastLines: expect.arrayContaining(["boom", "status: error"]),
  });
  expect(told(own)).toEqual([]);
  expect((await own.call(["logs", "first"])).stdout).toContain("it fell over");
});

test("a cloud-init that hangs fails when its time is over, and is not left running; ignore does not look", async () => {
  const own = installation();
  const more = cloudInit(own, `echo $$ >'${own.facts}/pid'; exec sleep 1000`);
  const { head } = await contactHead(more, ", cloud_init_timeout: 1s");
  const { document } = await own.json(["boot", planOf(own, head), "--name", "first"]);
  expect(document.failures[0]).toMatchObject({
    step: "prepare",
    message: "cloud-init has not finished within 1 s",
    lastLines: expect.arrayContaining(["status: error"]),
  });
  await eventually("it is gone", () => !existsSync(`/proc/${(own.fact("pid") ?? "").trim()}`));
  const other = await contactHead(more, ", cloud_init: ignore");
  expect((await own.call(["boot", planOf(own, other.head, "second"), "--name", "second"])).code).toBe(0);
});

test("Ctrl-C ends the wait for cloud-init, and the next launcher waits on", async () => {
  const own = installation();
  const { head } = await contactHead(cloudInit(own, `until test -f '${own.facts}/go'; do sleep 0.05; done`));
  const boot = own.start(["boot", planOf(own, head), "--name", "first"]);
  await eventually("cloud-init is waited for", () => own.fact("asked") !== null);
  boot.child.kill("SIGINT");
  expect((await boot.ended).code).toBe(130);
  expect(Object.values(await shownServices(own, "first"))).toMatchObject([{ state: "connecting" }]);
  writeFileSync(join(own.facts, "go"), "");
  expect((await own.call(["boot", "--resume", "first"])).code).toBe(0);
  expect(own.fact("asked")).toBe("waited\nwaited\n");
});
