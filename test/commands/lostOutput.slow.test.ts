/** Output that nobody can take any more stops the printing, and never the work. */
import { existsSync, openSync, closeSync } from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";

import { endOf, type Ended } from "../support/children.js";
import { CLI, installation, type Installation } from "../support/installation.js";
import { localMachines } from "../support/liveRun.js";
import { onLostTerminal, type LostTerminal } from "../support/lostTerminal.js";

/** `a` tells that it boots, `b` boots and executes a level later; both print, and end quickly. */
const plan = (own: Installation) =>
  own.plan(`plan: talk
levels:
  - name: one
    services:
      a: { boot: { command: "touch '${own.facts}/begun'; for i in 1 2 3 4; do echo line $i; sleep 0.2; done; echo boot >> '${own.facts}/ran'" } }
  - name: two
    services:
      b: { boot: { command: "echo later >> '${own.facts}/ran'" }, execute: { command: "echo execute >> '${own.facts}/ran'" } }
`);

const environment = (own: Installation) => ({
  PATH: process.env["PATH"],
  HOME: join(own.directory, "operator"),
  BOOTLEVEL_HOME: own.home,
  TERM: "xterm",
});

/** Runs the command with these streams on /dev/full, where each write fails with ENOSPC. */
async function onFullDisk(own: Installation, words: readonly string[], full: readonly (1 | 2)[]): Promise<Ended> {
  const disk = openSync("/dev/full", "w");
  const stream = (descriptor: 1 | 2) => (full.includes(descriptor) ? disk : "pipe");
  const child = spawn(process.execPath, [CLI, ...words], {
    env: environment(own),
    stdio: ["ignore", stream(1), stream(2)],
  });
  closeSync(disk);
  return endOf(words.join(" "), child);
}

const lost = (own: Installation, words: readonly string[], terminal: Omit<LostTerminal, "file">) =>
  onLostTerminal(
    { ...terminal, ...(terminal.words === undefined ? { file: join(own.facts, "begun") } : {}) },
    [process.execPath, CLI, ...words],
    { env: environment(own) },
  );

afterEach(() => {
  expect(existsSync("/dev/full")).toBe(true); // a program that replaces it breaks other tests
});

test.each([
  ["standard output and standard error", [0, 1, 2]],
  ["standard output", [0, 1]],
  ["standard error", [2]],
] as const)(
  "a terminal that hangs up as %s: run aborts its programs, ends its machines, and ends with 130",
  async (_what, descriptors) => {
    const own = installation();
    const ended = await lost(own, ["run", plan(own), "--name", "talk"], { descriptors, controlling: true });
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(ended.stderr).not.toMatch(/Assertion|\bat .*:\d+:\d+|a bug in bootlevel/);
    expect(localMachines(own)).toEqual([]);
    expect((await own.json(["list", "--all"])).document.runs).toMatchObject([{ name: "talk", state: "terminated" }]);
  },
);

test.each([
  ["live", ["boot"], [0, 1, 2]],
  ["verbose", ["boot", "--verbose"], [0, 1, 2]],
  ["JSON", ["boot", "--json"], [0, 1, 2]],
] as const)(
  "a terminal that goes away without a signal: the %s boot finishes all that it has to do",
  async (_what, words, descriptors) => {
    const own = installation();
    const ended = await lost(own, [...words, plan(own), "--name", "talk"], { descriptors, controlling: false });
    expect(ended).toMatchObject({ code: 1, signal: null }); // its result is lost, and whoever asks for it learns that
    expect(own.fact("ran")).toBe("boot\nlater\nexecute\n");
    expect((await own.json(["list"])).document.runs).toMatchObject([{ name: "talk", state: "ready" }]);
  },
);

test.each([
  ["controlling", true],
  ["other", false],
] as const)("a %s terminal that goes away at the question has said no", async (_what, controlling) => {
  const own = installation();
  expect((await own.call(["boot", plan(own), "--name", "talk"])).code).toBe(0);
  const ended = await lost(own, ["terminate", "talk"], { descriptors: [0, 1, 2], controlling, words: "[y/N]" });
  expect(ended.signal).toBeNull();
  expect([2, 130]).toContain(ended.code); // the signal and the end of the input come in any order
  expect((await own.json(["list"])).document.runs).toMatchObject([{ name: "talk", state: "ready" }]);
});

test("a full disk under standard output: the boot is whole, standard error says it, the exit code is 1", async () => {
  const own = installation();
  const ended = await onFullDisk(own, ["boot", plan(own), "--name", "talk", "--verbose"], [1]);
  expect(ended).toMatchObject({
    code: 1,
    stderr: "bootlevel: nothing more is printed on standard output: ENOSPC: no space left on device, write\n",
  });
  expect(own.fact("ran")).toBe("boot\nlater\nexecute\n");
  expect((await own.json(["list"])).document.runs).toMatchObject([{ state: "ready" }]);
  const document = await onFullDisk(own, ["status", "talk", "--json"], [1]);
  expect(document.code).toBe(1);
  expect(await onFullDisk(own, ["status", "talk", "--nagios"], [1])).toMatchObject({ code: 3 });
});

test("a full disk under standard error loses warnings only", async () => {
  const own = installation();
  const ended = await onFullDisk(own, ["run", plan(own), "--name", "talk", "--json"], [2]);
  expect(ended.code).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ command: "run", success: true });
  expect(localMachines(own)).toEqual([]);
});

test("every command that reads says that its result was lost, without a trace", async () => {
  const own = installation();
  expect((await own.call(["boot", plan(own), "--name", "talk"])).code).toBe(0);
  for (const words of [["list"], ["show", "talk"], ["logs", "talk"], ["events", "talk"], ["history", "talk"]]) {
    const ended = await onFullDisk(own, words, [1]);
    expect({ words, ...ended }).toMatchObject({ words, code: 1, signal: null });
    expect(ended.stderr).toMatch(/^bootlevel: nothing more is printed on standard output: ENOSPC.*\n$/);
  }
  // An error keeps its own code.
  expect(await onFullDisk(own, ["show", "ghost", "--json"], [1])).toMatchObject({ code: 2 });
  expect(await onFullDisk(own, ["show", "ghost"], [1, 2])).toMatchObject({ code: 2 });
});
