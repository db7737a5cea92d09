/**
 * One operator at a time, as operators see it: several commands on one run at the same instant, and a launcher that
 * freezes.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { eventually } from "../../support/eventually.js";
import { CLI, installation, startProgram, type Installation, type Started } from "../../support/installation.js";
import { linesOf } from "../../support/testCloudFiles.js";
import { bundled } from "../../support/launchers.js";

const HOUR = 3_600_000;

/** A service whose boot program waits for the fact "go", and tells when two of it run at once. */
function plan(own: Installation, clouds = ""): string {
  const { facts } = own;
  const boot = `mkdir '${facts}/running' || echo x >>'${facts}/overlap'; echo begin >>'${facts}/begun'; until test -e '${facts}/go'; do sleep 0.02; done; rmdir '${facts}/running'`;
  return own.plan(`plan: lease\n${clouds}levels: [{ name: one, services: { a: { boot: { command: "${boot}" } } } }]\n`);
}

async function booted(own: Installation, folder: string): Promise<void> {
  own.plan("", { go: "" }, "facts");
  expect(await own.call(["boot", folder, "--name", "r"])).toMatchObject({ code: 0 });
}

/** Lines that programs wrote. */
const facts = (own: Installation, name: string) => linesOf(join(own.facts, name));

test.each([2, 10])("of %i operators at the same instant one works, and the others are told who", async (count) => {
  const own = installation();
  const folder = plan(own);
  const boot = own.start(["boot", folder, "--name", "r"]);
  await eventually("the boot has begun", () => own.fact("begun"));
  own.plan("", { go: "" }, "facts");
  expect(await boot.ended).toMatchObject({ code: 0 });
  rmSync(join(own.facts, "go"));
  const operators = Array.from({ length: count }, () => own.start(["rerun", "r", "a"]));
  const ended = new Map<Started, { code: number | null; stderr: string }>();
  for (const operator of operators) void operator.ended.then((end) => ended.set(operator, end));
  await eventually(
    "all but one have ended",
    () => ended.size === count - 1 && facts(own, "begun").length === 2,
    50_000,
  );
  const [winner] = operators.filter((operator) => !ended.has(operator));
  for (const { code, stderr } of ended.values()) {
    expect(code).toBe(3);
    expect(stderr).toContain(`run "r" is busy: rerun (process ${winner?.pid} on `);
    expect(stderr).toContain("--wait");
  }
  own.plan("", { go: "" }, "facts");
  expect(await winner?.ended).toMatchObject({ code: 0 });
  expect(facts(own, "begun")).toHaveLength(2);
});

test("ten operators who wait all get their turn, one after the other", async () => {
  const own = installation();
  await booted(own, plan(own));
  const ends = await Promise.all(Array.from({ length: 10 }, () => own.call(["rerun", "r", "a", "--wait", "2m"])));
  expect(ends.map(({ code }) => code)).toEqual(Array.from({ length: 10 }, () => 0));
  expect(facts(own, "begun")).toHaveLength(11);
  expect(own.fact("overlap")).toBeNull();
  expect((await own.json(["list"])).document.runs).toMatchObject([{ state: "ready" }]);
});

test("a launcher that froze is replaced, nobody who only looks waits for it, and it ends with exit code 3 when it wakes up", async () => {
  const own = installation();
  const { cloud } = await bundled();
  const folder = plan(own, `clouds: { c: { driver: "${cloud}", access: local } }\n`);
  const calls = () => linesOf(join(own.home, "drivers/test-cloud/calls"));
  const sleeper = own.start(["boot", folder, "--name", "r"]);
  await eventually("the boot program runs", () => own.fact("begun"));
  sleeper.child.kill("SIGSTOP");
  // From then on its lease would hold for an hour: who waited for it would wait longer than a test may take.
  shiftLease(own, HOUR);
  const look = async () => {
    const looked = await Promise.all(
      [["show", "r"], ["list"], ["logs", "r"], ["events", "r"], ["status", "r"]].map((words) => own.call(words)),
    );
    expect(looked.map(({ code }) => code)).toEqual([0, 0, 0, 0, 1]);
  };
  await look();
  expect(await own.call(["terminate", "r", "--yes"])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`is busy: boot (process ${sleeper.pid} on `),
  });
  shiftLease(own, -HOUR - 60_000);
  await look();
  expect(await own.call(["terminate", "r", "--yes"])).toMatchObject({ code: 0 });
  const [asked, told] = [calls(), await own.call(["events", "r", "--json"])];
  sleeper.child.kill("SIGCONT");
  const end = await sleeper.ended;
  expect(end.code).toBe(3);
  expect(end.stderr).toContain(
    "bootlevel: another launcher took over this run, because this launcher had stopped responding",
  );
  expect(end.stderr).not.toMatch(/\n\s+at /);
  expect(calls()).toEqual(asked);
  expect(asked.some((line) => line.startsWith(`${sleeper.pid} launch`))).toBe(true);
  expect((await own.call(["events", "r", "--json"])).stdout).toBe(told.stdout);
  expect((await own.json(["list", "--all"])).document.runs).toMatchObject([{ state: "terminated" }]);
});

test.each([["--mount-proc"], []])(
  "a launcher in another PID namespace of the same computer leaves one that lives alone: unshare -pf %s",
  async (...words) => {
    const own = installation();
    const boot = own.start(["boot", plan(own), "--name", "r"]);
    await eventually("the boot has begun", () => own.fact("begun"));
    const apart = (...call: readonly string[]) =>
      startProgram(["unshare", "-pf", ...words, process.execPath, CLI, ...call], {
        env: { ...process.env, BOOTLEVEL_HOME: own.home },
      }).ended;
    expect(await apart("boot", "--resume", "r")).toMatchObject({ code: 3 });
    const { runs } = JSON.parse((await apart("list", "--json")).stdout) as { runs: unknown };
    expect(runs).toMatchObject([{ state: "booting", holder: { pid: boot.pid, alive: true } }]);
    own.plan("", { go: "" }, "facts");
    expect(await boot.ended).toMatchObject({ code: 0 });
    expect(facts(own, "begun")).toHaveLength(1);
    // What one in a namespace of its own had begun, and left without a word, is taken by its silence.
    expect(await apart("status", "r")).toMatchObject({ code: 0 });
  },
  60_000,
);

/** The run's launcher has given a sign of life so much later, as the record has it; earlier, if it is less than 0. */
function shiftLease(own: Installation, ms: number): void {
  const db = new Database(join(own.home, "bootlevel.db"));
  db.prepare("UPDATE leases SET renewed_at = renewed_at + $ms, renewed_uptime = renewed_uptime + $ms").run({ ms });
  db.close();
}
