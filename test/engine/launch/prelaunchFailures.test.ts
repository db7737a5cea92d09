/**
 * Early machines that fail or die, and what becomes of them when the run fails or is interrupted before their level.
 */
import { describe, expect, test } from "@jest/globals";

import type { RunEvent } from "../../../src/model/events.js";
import { SimRun } from "../../support/simRun.js";

/** The first level takes 100 s, the machines of the others are up after 60 s. */
const cloud = (script: string) =>
  `launch: { latency: 60s }, programs: { boot: { duration: 10s } }, services: { a: { programs: { boot: { duration: 40s } } } }, script: [${script}]`;
const plan = `prelaunch: all
levels:
  - name: one
    services: { a: { boot: { command: x } } }
  - name: two
    services: { b: { boot: { command: x } } }
  - name: three
    services: { c: { terminate: { command: x } } }
`;
const booting = (service: string) => (event: RunEvent) =>
  event.type === "service-state" && event.service === service && event.state === "booting";

describe("an early machine that", () => {
  test("is refused is told, fails nothing, and is asked for again when its level begins", async () => {
    const run = await SimRun.open();
    expect((await run.boot(cloud("{ call: launch, service: b, fault: refuse }"), plan)).state).toBe("ready");
    expect(run.warnings()).toEqual([
      expect.stringMatching(
        /^b: its machine could not be started early; the launch is retried when its level begins: .*refused the launch$/,
      ),
    ]);
    expect(await run.keys()).toEqual(["a.1", "b.1", "c.1", "b.2"]);
    expect(run.state("b", "planned")).toBeLessThan(run.level("two"));
    expect(
      run.events
        .filter((event) => event.type === "service-state" && event.service === "b")
        .map((event) => "state" in event && event.state),
    ).toEqual(["launching", "planned", "launching", "connecting", "booting", "verifying", "ready"]);
  });

  test("is refused again fails its own level, as ever", async () => {
    const run = await SimRun.open();
    const end = await run.boot(cloud("{ call: launch, service: b, nth: every, fault: refuse }"), plan);
    expect(end).toMatchObject({
      state: "failed",
      failures: [{ service: "b", step: "launch" }],
      unused: [{ service: "c", ended: true }],
    });
    expect((await run.service("a")).state).toBe("ready");
    expect(run.calls("launch")).toBe(4);
  });

  test.each(["30s", "80s"])("dies after %s, before its level, is replaced by a new wish", async (at) => {
    const run = await SimRun.open();
    expect((await run.boot(cloud(`{ service: b, at: ${at}, fault: die }`), plan)).state).toBe("ready");
    expect(await run.keys()).toEqual(["a.1", "b.1", "c.1", "b.2"]);
    expect((await run.past()).get("b.1")).toMatchObject({
      now: "terminated",
      end: expect.stringContaining("the simulated machine died"),
    });
    // The level that boots meanwhile goes its way.
    expect(run.level("two")).toBeLessThan(115);
  });

  test("a cloud could not be asked for fails nothing either", async () => {
    const run = await SimRun.open();
    expect((await run.boot(cloud("{ call: launch, service: b, fault: unreachable }"), plan)).state).toBe("ready");
    expect(run.warnings()).toEqual([expect.stringContaining("b: its machine could not be started early")]);
    // Nobody knows whether the first call has made one: the wish stays, and so does its key.
    expect([...new Set(await run.keys())].sort()).toEqual(["a.1", "b.1", "c.1"]);
  });
});

describe("a run that fails", () => {
  const failing = "{ service: a, program: boot, exit: 3 }";

  test("ends the machines of levels that never began, says so, and a repair starts others", async () => {
    const run = await SimRun.open();
    const end = await run.boot(cloud(failing), plan);
    expect(end).toMatchObject({
      state: "failed",
      failures: [{ service: "a" }],
      unused: [
        { service: "b", cloud: "sky", ended: true },
        { service: "c", cloud: "sky", ended: true },
      ],
    });
    expect(
      run.events
        .filter((event) => event.type === "machine-terminated")
        .map((event) => "service" in event && event.service),
    ).toEqual(["b", "c"]);
    expect(await run.service("b")).toMatchObject({ state: "planned" });
    const past = await run.past();
    expect([...past].map(([key, { now, end: reason }]) => [key, now, reason])).toEqual([
      ["a.1", "running", ""],
      ["b.1", "terminated", "the run failed before its level began"],
      ["c.1", "terminated", "the run failed before its level began"],
    ]);
    expect(await run.repair()).toMatchObject({ state: "ready", unused: [] });
    expect(await run.keys()).toEqual(["a.1", "b.1", "c.1", "b.2", "c.2"]);
    expect((await run.terminate()).terminated.map(({ service }) => service).sort()).toEqual(["a", "b", "c"]);
  });

  test("tells of machines that it could not end, keeps them on record, and a repair uses them", async () => {
    const run = await SimRun.open();
    const end = await run.boot(cloud(`${failing}, { call: terminate, nth: 1, fault: unreachable }`), plan);
    expect(end).toMatchObject({
      state: "failed",
      unused: [
        { service: "b", ended: false },
        { service: "c", ended: false },
      ],
    });
    expect(run.warnings()).toHaveLength(2);
    expect(run.warnings()[0]).toMatch(
      /^b: its machine i-\S+ was launched early, but its level never began and the machine could not be ended: .* Use it with bootlevel repair r, or end it with bootlevel terminate r$/,
    );
    expect((await run.service("b")).state).toBe("launching");
    expect((await run.repair()).state).toBe("ready");
    expect(await run.keys()).toEqual(["a.1", "b.1", "c.1"]);
  });

  test("asks for nothing more: a call that goes on for a later level is cut short", async () => {
    const run = await SimRun.open();
    // The calls for one, two and three end after 20, 40 and 60 s, the boot program of one after 45 s or so.
    const slow = "launch: { latency: 1s }, calls: { latency: 20s }, programs: { boot: { duration: 5s } }";
    const end = await run.boot(`${slow}, script: [${failing}]`, plan);
    expect(end).toMatchObject({ state: "failed", unused: [{ service: "b", ended: true }] });
    expect((await run.past()).get("c.1")).toMatchObject({ id: null, end: "interrupted" });
    expect(await run.service("c")).toMatchObject({ state: "planned" });
    expect(run.warnings()).toEqual([]);
  });

  test("does not end what an earlier level has used", async () => {
    const run = await SimRun.open();
    const end = await run.boot(cloud("{ service: b, program: boot, exit: 3 }"), plan);
    expect(end.unused.map(({ service }) => service)).toEqual(["c"]);
    expect((await run.past()).get("b.1")).toMatchObject({ now: "running" });
  });
});

describe("a run that is interrupted", () => {
  test("keeps its early machines, shows them, and a resume uses them", async () => {
    const run = await SimRun.open();
    const end = await run.boot(cloud(""), plan, booting("a"));
    expect(end).toMatchObject({
      state: "interrupted",
      failures: [],
      unused: [
        { service: "b", ended: false },
        { service: "c", ended: false },
      ],
    });
    expect(await run.service("b")).toMatchObject({
      state: "launching",
      machine: expect.stringMatching(/^i-/),
      host: expect.stringMatching(/^10\./),
    });
    expect(await run.resume()).toMatchObject({ state: "ready", unused: [] });
    expect(await run.keys()).toEqual(["a.1", "b.1", "c.1"]);
  });

  test("is repaired without a machine being taken for lost that nobody has connected to yet", async () => {
    const run = await SimRun.open();
    await run.boot(cloud("{ service: b, at: 0ms, fault: unreachable, for: 90s }"), plan, booting("a"));
    expect(await run.repair()).toMatchObject({ state: "ready" });
    expect(await run.keys()).toEqual(["a.1", "b.1", "c.1"]);
  });

  test("is taken down with them, and no terminate program runs on what was never used", async () => {
    const run = await SimRun.open();
    await run.boot(cloud(""), plan, booting("a"));
    expect((await run.terminate()).terminated.map(({ service }) => service).sort()).toEqual(["a", "b", "c"]);
    expect(
      run.events.filter((event) => event.type === "step-started").map((event) => "service" in event && event.service),
    ).toEqual([]);
    for (const { now } of (await run.past()).values()) expect(now).toBe("terminated");
  });
});

describe("commands on a run that is there", () => {
  test("a machine that is to be replaced waits for its level; one that comes after it on its cloud waits with it", async () => {
    const run = await SimRun.open();
    const lost = "{ service: a, at: 130s, fault: die }, { service: b, at: 130s, fault: die }";
    const refused =
      "{ call: launch, service: c, nth: 1, fault: refuse }, { call: launch, service: c, nth: 2, fault: refuse }";
    expect((await run.boot(cloud(`${lost}, ${refused}`), plan)).failures).toMatchObject([
      { service: "c", step: "launch" },
    ]);
    await run.store.clock.sleep(120_000);
    expect((await run.repair(3)).state).toBe("ready");
    expect((await run.keys()).slice(-3)).toEqual(["a.2", "b.2", "c.3"]);
    expect(run.state("b", "launching")).toBeGreaterThanOrEqual(run.level("two"));
    expect(run.state("c", "launching")).toBeLessThan(run.level("three"));
  });

  test("a machine whose origin changes is made once, from the new value, and no terminate program runs on it", async () => {
    const run = await SimRun.open();
    const text = plan.replace("b: { boot", 'b: { size: "${a.host}", terminate: { command: y }, boot');
    expect((await run.boot(cloud(""), text)).state).toBe("ready");
    expect((await run.reboot()).state).toBe("ready");
    expect((await run.keys()).sort()).toEqual(["a.1", "a.2", "b.1", "b.2", "c.1", "c.2"]);
    // The one of before the reboot: it is asked for when the new address is known, and not when the old one still stood
    // on record.
    expect(
      run.events.filter(
        (event) => event.type === "step-started" && event.step === "terminate" && event.service === "b",
      ),
    ).toHaveLength(1);
    expect(run.warnings()).toEqual([]);
    const launching = run.events.findLast(
      (event) => event.type === "service-state" && event.service === "b" && event.state === "launching",
    );
    const known = run.events.findLast((event) => event.type === "machine-launched" && event.service === "a");
    expect(launching?.at).toBe(known?.at);
  });

  test("a reload that adds a level starts its machines while earlier ones boot again", async () => {
    const run = await SimRun.open();
    await run.boot(cloud(""), "levels:\n  - { name: one, services: { a: { boot: { command: x } } } }\n");
    const { state } = await run.reload(
      cloud(""),
      "levels:\n  - { name: one, services: { a: { boot: { command: y } } } }\n  - { name: two, services: { b: { boot: { command: x } } } }\n",
    );
    expect(state).toBe("ready");
    expect(run.state("b", "launching")).toBeLessThan(run.state("a", "ready"));
    expect(await run.keys()).toEqual(["a.1", "b.1"]);
  });

  test("a reload that changes what an early machine is made from replaces it", async () => {
    const run = await SimRun.open();
    await run.boot(cloud(""), plan, booting("a"));
    expect((await run.reload(cloud(""), plan.replace("b: {", "b: { size: big,"))).state).toBe("ready");
    expect((await run.keys()).sort()).toEqual(["a.1", "b.1", "b.2", "c.1"]);
    expect((await run.past()).get("b.1")?.now).toBe("terminated");
  });
});
