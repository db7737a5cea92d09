/** Clocks that are set while launchers work, or between one and the next. */
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { eventually } from "../../support/eventually.js";
import { installation } from "../../support/installation.js";
import { judgeDown, judgeUp, scenarioOf } from "../../support/killScenarios.js";
import { Lane } from "../../support/lane.js";
import { clockOff, clockSetBy } from "../../support/wrongClock.js";

const HOUR = 3_600_000;

test.each([HOUR, -HOUR])(
  "a clock that is set by %d ms in the middle of a boot costs neither the lease nor a ready window",
  async (jump) => {
    const own = installation();
    const { facts } = own;
    // The clock is set by the third of eight tries.
    const ready = `echo x >>'${facts}/tries'; n=$(wc -l <'${facts}/tries'); test $n != 3 || touch '${facts}/jumped'; test $n -ge 8`;
    const folder = own.plan(`plan: clock
levels:
  - services: { a: { ready: { command: "${ready}", every: 200ms, timeout: 20s } } }
  - services: { b: { boot: { command: "touch '${facts}/begun'; until test -e '${facts}/go'; do sleep 0.02; done" } } }
`);
    const startedAt = Date.now();
    const boot = own.start(["boot", folder, "--name", "r", "--json"], {
      env: { NODE_OPTIONS: clockSetBy(jump, join(facts, "jumped")) },
    });
    await eventually("the second level boots", () => own.fact("begun"));
    const db = new Database(join(own.home, "bootlevel.db"), { readonly: true });
    const renewedAt = () =>
      (db.prepare<[], { at: number }>("SELECT renewed_at AS at FROM leases").get() as { at: number }).at;
    await eventually(
      "the lease is renewed by the clock that was set",
      () => Math.abs(renewedAt() - Date.now() - jump) < HOUR / 2,
    );
    db.close();
    expect(await own.call(["terminate", "r", "--yes"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("is busy: boot"),
    });
    own.plan("", { go: "" }, "facts");
    const ended = await boot.ended;
    expect(ended).toMatchObject({ code: 0 });
    expect(JSON.parse(ended.stdout)).toMatchObject({ state: "ready" });
    expect((own.fact("tries") ?? "").split("\n")).toHaveLength(9);
    const { events } = (await own.json(["events", "r"])).document as { events: { at: string; ms?: number }[] };
    const moments = events.map(({ at }) => new Date(at).getTime());
    expect(moments).toEqual([...moments].sort((one, other) => one - other));
    for (const at of moments) expect(Math.abs(at - startedAt)).toBeLessThan(HOUR / 2);
    for (const { ms } of events) if (ms !== undefined) expect(ms).toBeLessThan(HOUR / 2);
  },
);

const boot = scenarioOf("boot");

test.each([
  { what: "an hour behind", ms: -HOUR, point: "before c launch", verb: "terminate" },
  { what: "an hour behind", ms: -HOUR, point: "before c launch", verb: "resume" },
  { what: "an hour behind", ms: -HOUR, point: "after write step-begun", verb: "resume" },
  { what: "an hour ahead", ms: HOUR, point: "after c launch", verb: "terminate" },
  { what: "an hour ahead", ms: HOUR, point: "after c launch", verb: "resume" },
  { what: "an hour ahead", ms: HOUR, point: "after write step-begun", verb: "resume" },
] as const)("a launcher whose clock is $what does a $verb after one that died $point", async ({ ms, point, verb }) => {
  const lane = new Lane({ driver: "test", options: "access: driver" });
  try {
    const { command } = await boot.prepare(lane);
    expect(await lane.carryOut(command, { point })).toEqual({ kind: "killed" });
    const report = await lane.finishBeside({ verb }, { NODE_OPTIONS: clockOff(ms) });
    expect(verb === "resume" ? judgeUp(lane, report, { db: 1, cache: 1, web: 1 }) : judgeDown(lane, report)).toEqual(
      [],
    );
  } finally {
    await lane.close();
  }
});
