/**
 * An abort reaches everyone: whoever waits is told, what runs is ended, the first reason stays, and an operator can go
 * on.
 */
import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation } from "../support/installation.js";
import { begun, levels, shownServices, waitFor } from "../support/liveRun.js";

test("a program aborts the run: waits end with 8, programs get TERM and then KILL, the first reason stays", async () => {
  const own = installation();
  const folder = own.plan(
    levels(
      "bad",
      [
        `
    waits: { boot: { command: "touch '${own.facts}/waits-began'; bl get deaf:x --timeout 0; echo $? > '${own.facts}/waits'; bl get deaf:x --timeout 0.2 --ignore-abort; echo $? > '${own.facts}/ignores'; sleep 60" } }
    tidy: { boot: { command: "trap 'echo tidied > ${own.facts.replaceAll(" ", "\\\\ ")}/tidy; exit 3' TERM; touch '${own.facts}/tidy-began'; sleep 60 & wait" } }
    deaf: { outputs: [x], boot: { command: "trap '' TERM; touch '${own.facts}/deaf-began'; while :; do sleep 0.2; done" } }
    breaks: { boot: { command: "until test -f '${own.facts}/deaf-began' && test -f '${own.facts}/tidy-began' && test -f '${own.facts}/waits-began'; do sleep 0.05; done; bl abort the first reason; bl abort the second; sleep 60" } }
  `,
        "never: {}",
      ],
      "prelaunch: none\n",
    ),
  );
  const ended = await own.call(["boot", folder, "--name", "bad"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain("The run was aborted by breaks: the first reason");
  expect(own.fact("waits")).toBe("8\n");
  expect(own.fact("tidy")).toBe("tidied\n");
  const { document } = await own.json(["status", "bad"]);
  expect(document).toMatchObject({ state: "failed", abort: { reason: "the first reason", origin: "breaks" } });
  expect(Object.values(await shownServices(own, "bad")).map(({ state }) => state)).toEqual([
    "failed",
    "failed",
    "failed",
    "failed",
    "planned",
  ]);
  expect((await own.call(["status", "bad", "--nagios"])).stdout).toMatch(
    /^BOOTLEVEL CRITICAL - bad was aborted by breaks: the first reason; /,
  );
  expect(await own.call(["terminate", "bad", "--yes"])).toMatchObject({ code: 0 });
}, 60_000);

test("an operator aborts a run that is being booted, and goes on with it afterwards", async () => {
  const own = installation();
  const folder = own.plan(levels("op", [`a: { boot: { command: "${waitFor(own, "a")}" } }`]));
  const boot = own.start(["boot", folder, "--name", "op"]);
  await begun(own, "a");
  expect((await own.call(["abort", "op"])).code).toBe(2);
  expect(await own.call(["abort", "op", "wrong", "data"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("boot works on it and ends everything in progress") as unknown as string,
  });
  const ended = await boot.ended;
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain("The run was aborted by operator: wrong data");
  expect((await own.call(["abort", "op", "another"])).stdout).toContain("The first reason is kept");
  for (const words of [
    ["boot", "--resume", "op"],
    ["repair", "op"],
    ["rerun", "op", "a"],
    ["reboot", "op", "--yes"],
    ["reload", "op", folder, "--yes"],
  ]) {
    const refused = await own.call(words);
    expect([words[0], refused.code]).toEqual([words[0], 2]);
    expect(refused.stderr).toContain("bootlevel abort op --cancel");
  }
  expect((await own.json(["abort", "op", "--cancel"])).document).toMatchObject({ run: "op", cancelled: "wrong data" });
  own.plan("", { "go-a": "" }, "facts");
  expect(await own.call(["rerun", "op", "a"])).toMatchObject({ code: 0 });
  expect((await own.json(["events", "op"])).document.events.map(({ type }: { type: string }) => type)).toEqual(
    expect.arrayContaining(["aborted", "abort-cancelled"]),
  );
}, 60_000);

test("a run whose launcher is dead is aborted by the command itself: what runs on its machines is ended", async () => {
  const own = installation();
  const folder = own.plan(
    levels("orphan", [`a: { boot: { command: "echo $$ > '${own.facts}/pid'; ${waitFor(own, "a")}" } }`]),
  );
  const boot = own.start(["boot", folder, "--name", "orphan"]);
  await begun(own, "a");
  boot.child.kill("SIGKILL");
  await boot.ended;
  const pid = Number(own.fact("pid"));
  expect(() => process.kill(pid, 0)).not.toThrow();
  expect((await own.call(["abort", "orphan", "nobody is there"])).stdout).toContain("None of its programs is running");
  expect((await own.json(["status", "orphan"])).document).toMatchObject({
    state: "failed",
    abort: { reason: "nobody is there", origin: "operator" },
  });
  await eventually("the program is gone", () => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
}, 60_000);

test("waiting programs of a launcher that is killed wait for the next one, which answers them", async () => {
  const own = installation();
  const folder = own.plan(
    levels("ten", [
      `
    source: { outputs: [x], boot: { command: "${waitFor(own, "source")}; bl set x 5" } }
    waits: { replicas: 3, boot: { command: "set -e; touch '${own.facts}/waits-'$BOOTLEVEL_REPLICA; v=$(bl get source:x --timeout 0) || { c=$?; echo $c >> '${own.facts}/codes'; exit $c; }; echo $v >> '${own.facts}/values'" } }
  `,
    ]),
  );
  const boot = own.start(["boot", folder, "--name", "ten"]);
  await begun(own, "source");
  await eventually("all wait", () => own.factNames().filter((name) => name.startsWith("waits-")).length === 3);
  // The three have begun; each is in its bl within moments, and one that is not yet waits all the same.
  await eventually("their waits are there", async () => (await own.call(["logs", "ten"])).code === 0);
  boot.child.kill("SIGKILL");
  await boot.ended;
  own.plan("", { "go-source": "" }, "facts");
  expect(await own.call(["boot", "--resume", "ten"])).toMatchObject({ code: 0 });
  expect(own.fact("codes")).toBe(null);
  expect(own.fact("values")).toBe("5\n5\n5\n");
}, 60_000);

test("of several who abort a run at once whose launcher is dead, one ends what runs, and the others are told so", async () => {
  const own = installation();
  const folder = own.plan(
    levels("many", [
      `a: { boot: { command: "trap '' TERM; touch '${own.facts}/begun-a'; while :; do sleep 0.2; done" } }`,
    ]),
  );
  const boot = own.start(["boot", folder, "--name", "many"]);
  await begun(own, "a");
  boot.child.kill("SIGKILL");
  await boot.ended;
  const calls = await Promise.all(["one", "two", "three"].map((reason) => own.json(["abort", "many", reason])));
  expect(calls.map(({ code }) => code)).toEqual([0, 0, 0]);
  const [{ reason }] = calls.filter(({ document }) => document.fresh).map(({ document }) => document) as [
    { reason: string },
  ];
  expect(calls.map(({ document }) => document.reason)).toEqual([reason, reason, reason]);
  expect(calls.filter(({ document }) => document.workedOnBy === null).length).toBeGreaterThan(0);
}, 40_000);

test("who aborts a run that is being taken down is told that this goes on", async () => {
  const own = installation();
  await own.call([
    "boot",
    own.plan(levels("ends", [`a: { boot: { command: "true" }, terminate: { command: "${waitFor(own, "a")}" } }`])),
    "--name",
    "ends",
  ]);
  const down = own.start(["terminate", "ends", "--yes"]);
  await begun(own, "a");
  expect((await own.call(["abort", "ends", "enough"])).stdout).toContain(
    "terminate works on it and continues after cleaning up",
  );
  own.plan("", { "go-a": "" }, "facts");
  expect(await down.ended).toMatchObject({ code: 0 });
}, 40_000);
