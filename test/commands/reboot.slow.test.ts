/** Reboot, rerun, `terminate --keep`, and several operators at once. */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, localMachines, shownServices, tell, told, waitFor } from "../support/liveRun.js";

const both = (own: Installation, name: string, more = "") =>
  `${name}: { ${more} boot: { command: "${tell(own, name)}" }, terminate: { command: "${tell(own, `${name}-ends`)}" } }`;
/** `b` is as big as `a`'s address says, `g` is on `a`'s machine, `n` has no boot program. */
const tower = (own: Installation) =>
  levels("tower", [
    both(own, "a"),
    `${both(own, "b", 'size: "for-${a.host}",')}\n${both(own, "g", 'host: "${a.host}",')}`,
    `${both(own, "c")}\nn: { terminate: { command: "${tell(own, "n-ends")}" } }`,
  ]);

test("reboot: everything down from the last level, then up from the first; each terminate program once", async () => {
  const own = installation();
  await boot(own, own.plan(tower(own)), "tower");
  const asked = await own.call(["reboot", "tower"]);
  expect(asked).toMatchObject({ code: 2, stdout: "" });
  expect(asked.stderr).toContain("use --yes");
  expect(await own.json(["reboot", "tower", "--yes"])).toMatchObject({
    code: 0,
    document: { version: 1, command: "reboot", run: "tower", state: "ready", failures: [], cloudUnreachable: false },
  });
  const words = told(own);
  expect([words.slice(0, 2).sort(), words.slice(2, 4).sort(), words[4]]).toEqual([
    ["c-ends", "n-ends"],
    ["b-ends", "g-ends"],
    "a-ends",
  ]);
  expect([words[5], words.slice(6, 8).sort(), words.slice(8)]).toEqual(["a", ["b", "g"], ["c"]]);
  expect(localMachines(own)).toEqual(["a.2", "b.2", "c.2", "n.2"]);
  expect(await own.call(["reboot", "tower", "--yes", "--force"])).toMatchObject({ code: 0 });
  expect(told(own).filter((word) => word.endsWith("-ends"))).toEqual([]);
});

test("reboot of one service takes its guests along, and those that need its new address; an unknown one is said before anything ends", async () => {
  const own = installation();
  await boot(own, own.plan(tower(own)), "tower");
  const wrong = await own.call(["reboot", "tower", "a", "bb", "--yes"]);
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain('has no service "bb"');
  expect(told(own)).toEqual([]);
  expect(await own.call(["reboot", "tower", "a", "--yes"])).toMatchObject({ code: 0 });
  expect(told(own).sort()).toEqual(["a", "a-ends", "b", "b-ends", "g", "g-ends"]);
  expect(localMachines(own)).toEqual(["a.2", "b.2", "c.1", "n.1"]);
});

test("a reboot that is killed on its way down is finished by repair", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("cut", [
        `a: { boot: { command: "${tell(own, "a")}" }, terminate: { command: "${waitFor(own, "end")}" } }`,
        both(own, "z"),
      ]),
    ),
    "cut",
  );
  const first = own.start(["reboot", "cut", "--yes"]);
  await begun(own, "end");
  first.child.kill("SIGKILL");
  await first.ended;
  letGo(own, "end");
  expect(await own.call(["repair", "cut"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["z-ends", "a", "z"]);
  expect(localMachines(own)).toEqual(["a.2", "z.2"]);
});

test("terminate --keep runs the programs and leaves the machines; terminate does not run them again, reboot brings all up", async () => {
  const own = installation();
  await boot(own, own.plan(tower(own)), "tower");
  const ends = ["a-ends", "b-ends", "c-ends", "g-ends", "n-ends"];
  const kept = await own.call(["terminate", "tower", "--keep", "--yes"]);
  expect(kept.code).toBe(0);
  expect(kept.stdout).toContain("its machines are kept");
  expect(told(own).sort()).toEqual(ends);
  expect(localMachines(own)).toHaveLength(4);
  for (const words of [
    ["repair", "tower"],
    ["boot", "--resume", "tower"],
    ["rerun", "tower", "a"],
  ])
    expect(await own.call(words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is being taken down") as unknown,
    });
  expect(await own.call(["reboot", "tower", "--yes"])).toMatchObject({ code: 0 });
  expect(told(own).sort()).toEqual(["a", "b", "c", "g"]);
  expect(await own.json(["terminate", "tower", "--keep"])).toMatchObject({
    code: 0,
    document: { runs: [{ kept: true, terminated: [] }] },
  });
  expect(told(own).sort()).toEqual(ends);
  expect(await own.call(["terminate", "tower", "--yes"])).toMatchObject({ code: 0 });
  expect([told(own), localMachines(own)]).toEqual([[], []]);
  expect((await own.call(["terminate", "tower", "--keep", "--force", "--yes"])).code).toBe(2);
});

test("a terminate program that its launcher's death cut off is run by the next terminate, also without a boot program", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(levels("cut", [`a: { terminate: { command: "${waitFor(own, "end")}; ${tell(own, "ended")}" } }`])),
    "cut",
  );
  const first = own.start(["terminate", "cut", "--yes"]);
  await begun(own, "end");
  first.child.kill("SIGKILL");
  await first.ended;
  rmSync(join(own.facts, "begun-end"));
  const second = own.start(["terminate", "cut", "--yes"]);
  await begun(own, "end");
  letGo(own, "end");
  expect(await second.ended).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["ended"]);
});

test("rerun: the boot program again on the same machine, followed by who needs its new output; :ready looks only", async () => {
  const own = installation();
  const folder = own.plan(
    levels("again", [
      `a: { outputs: [at], boot: { command: "${tell(own, "a")}; date +at=%s%N >> $BOOTLEVEL_OUTPUT" }, ready: { command: "${tell(own, "a-ready")}" } }`,
      `b: { boot: { command: "${tell(own, "b \${a.at}")}" } }\nlone: { boot: { command: "${tell(own, "lone")}" } }`,
    ]),
  );
  await boot(own, folder, "again");
  const before = await shownServices(own, "again");
  expect(await own.json(["rerun", "again", "a"])).toMatchObject({
    code: 0,
    document: { command: "rerun", state: "ready" },
  });
  const { at } = (await shownServices(own, "again"))["a"].attributes;
  expect(told(own)).toEqual(["a", "a-ready", `b ${at.value}`]);
  expect((await shownServices(own, "again"))["b"].machine).toBe(before["b"].machine);
  expect(await own.call(["rerun", "again", "a:ready"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a-ready"]);
  expect((await own.call(["rerun", "again", "a:bot"])).stderr).toContain(
    "write SERVICE, SERVICE:boot or SERVICE:ready",
  );
  expect((await own.call(["rerun", "again", "lonee"])).stderr).toContain('did you mean "lone"?');
});

test("rerun in a run that failed below: services that were never started stay as they are", async () => {
  const own = installation();
  const folder = own.plan(
    levels("half", [
      `a: { outputs: [x], boot: { command: "test -f '${own.facts}/go-a' && echo x=1 >> $BOOTLEVEL_OUTPUT" } }`,
      `b: { boot: { command: "${tell(own, "b \${a.x}")}" } }`,
    ]),
  );
  expect((await own.call(["boot", folder, "--name", "half"])).code).toBe(1);
  letGo(own, "a");
  expect((await own.json(["rerun", "half", "a"])).document.failures).toEqual([]);
  expect(Object.values(await shownServices(own, "half")).map(({ state }) => state as string)).toEqual([
    "ready",
    "planned",
  ]);
  expect((await own.call(["rerun", "half", "b"])).stderr).toContain("bootlevel repair half");
  expect(await own.call(["boot", "--resume", "half"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["b 1"]);
});

test("ten operators at once: one works, nine are told by whom, with 3; with --wait each gets its turn", async () => {
  const own = installation();
  const folder = own.plan(
    levels("busy", [
      `a: { boot: { command: "${tell(own, "a")}; if test -f '${own.facts}/hold'; then ${waitFor(own, "a")}; fi" } }`,
    ]),
  );
  await boot(own, folder, "busy");
  own.plan("", { hold: "" }, "facts");
  const holder = own.start(["rerun", "busy", "a"]);
  await begun(own, "a");
  const refused = await Promise.all(
    [
      ["repair", "busy"],
      ["rerun", "busy", "a"],
      ["reboot", "busy", "--yes"],
      ["reload", "busy", folder, "--yes"],
      ["terminate", "busy", "--yes"],
      ["boot", "--resume", "busy"],
    ].map(async (words) => own.call(words)),
  );
  for (const { code, stderr } of refused)
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(
        new RegExp(
          `run "busy" is busy: rerun \\(process ${holder.pid} on .*\\) has worked on it since [\\s\\S]*--wait 5m`,
        ),
      ) as unknown,
    ]);
  expect((await own.json(["repair", "busy"])).document.error).toMatchObject({ exitCode: 3 });
  const waiting = Array.from({ length: 4 }, () => own.start(["rerun", "busy", "a", "--wait", "1m"]));
  letGo(own, "a");
  expect((await holder.ended).code).toBe(0);
  expect(await Promise.all(waiting.map(async ({ ended }) => (await ended).code))).toEqual([0, 0, 0, 0]);
  expect(told(own)).toEqual(["a", "a", "a", "a", "a"]);
});
