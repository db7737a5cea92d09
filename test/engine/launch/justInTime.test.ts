/** Machines that are started just in time for their level, by how long earlier runs took. */
import { describe, expect, test } from "@jest/globals";

import { SimRun } from "../../support/simRun.js";

/** Machines take a minute, and levels five. */
const SLOW = "launch: { latency: 60s }, programs: { boot: { duration: 5m } }";
const plan = (prelaunch: string, more = "") => `prelaunch: ${prelaunch}
levels:
  - name: one
    services: { a: { boot: { command: x } } }
  - name: two
    services: { b: { replicas: 2, boot: { command: x } } }
  - name: three
    services: { c: { boot: { command: x } } }
  - name: four
    services: { d: { boot: { command: x } }${more} }
`;

interface Cost {
  readonly ms: number;
  /** From each machine's launch until the run was ready. */
  readonly machineMs: number;
}

/** Boots a plan, and again as `prelaunch` says, when there is an earlier run. */
async function again(run: SimRun, prelaunch: string, cloud = SLOW): Promise<Cost> {
  expect((await run.boot(cloud, plan("just-in-time"))).state).toBe("ready");
  await run.terminate();
  return boot(run, prelaunch, cloud);
}

async function boot(run: SimRun, prelaunch: string, cloud = SLOW): Promise<Cost> {
  const { state, ms } = await run.boot(cloud, plan(prelaunch));
  expect(state).toBe("ready");
  const now = run.store.clock.now();
  return { ms, machineMs: (await run.machines()).reduce((sum, { requestedAt }) => sum + now - requestedAt, 0) };
}

test("a second run is up as soon as with all, and pays for its machines no longer than with none", async () => {
  const costs = async (prelaunch: string) => again(await SimRun.open(), prelaunch);
  const [none, next, all, just] = [
    await costs("none"),
    await costs("next"),
    await costs("all"),
    await costs("just-in-time"),
  ];
  expect(just.ms / all.ms).toBeLessThan(1.01);
  expect(just.machineMs / none.machineMs).toBeLessThan(1);
  // Which the others are not: none pays in time, next and all in machines.
  expect(none.ms / all.ms).toBeGreaterThan(1.1);
  expect(Math.min(next.machineMs, all.machineMs) / none.machineMs).toBeGreaterThan(1.1);
});

test("machines are asked for about as long before their level as their launch takes, and nothing runs there before it", async () => {
  const run = await SimRun.open();
  await again(run, "just-in-time");
  for (const [service, level] of [
    ["b-1", "two"],
    ["b-2", "two"],
    ["c", "three"],
    ["d", "four"],
  ] as const) {
    const ahead = run.level(level) - run.state(service, "launching");
    // A launch is seen up to 10 s after its end, and machines that are wanted at nearly the same moment go out
    // together.
    expect([ahead > 55, ahead < 80]).toEqual([true, true]);
    expect(run.state(service, "connecting")).toBeGreaterThanOrEqual(run.level(level));
  }
  expect(run.state("b-1", "launching")).toBe(run.state("b-2", "launching"));
  expect(run.calls("launch")).toBe(4);
  expect((await run.keys()).sort()).toEqual(["a.1", "b-1.1", "b-2.1", "c.1", "d.1"]);
});

test("without an earlier run it is as next, call by call", async () => {
  const [next, just] = [await SimRun.open(), await SimRun.open()];
  expect(await boot(just, "just-in-time")).toEqual(await boot(next, "next"));
  expect(just.points).toEqual(next.points);
  expect(just.warnings()).toEqual([]);
});

test("machines that take longer than levels are asked for several levels ahead", async () => {
  const run = await SimRun.open();
  const quick = "launch: { latency: 60s }, programs: { boot: { duration: 10s } }";
  const { ms } = await again(run, "just-in-time", quick);
  expect(run.state("d", "launching")).toBeLessThan(run.level("two"));
  const all = await again(await SimRun.open(), "all", quick);
  expect(ms / all.ms).toBeLessThan(1.02);
});

describe("a level that", () => {
  test("is through sooner than ever before finds its successor's machines asked for at its begin, as ever", async () => {
    const run = await SimRun.open();
    await again(run, "just-in-time");
    await run.terminate();
    const { state } = await run.boot(
      `${SLOW}, services: { a: { programs: { boot: { duration: 1s } } } }`,
      plan("just-in-time"),
    );
    expect(state).toBe("ready");
    // Where its only service is ready, the next one begins.
    expect(run.state("b-1", "launching")).toBe(run.level("two"));
    expect(run.level("three") - run.state("c", "launching")).toBeLessThan(80);
  });

  test("has one slow service left of several is taken for as long as that one", async () => {
    const run = await SimRun.open();
    const mixed = (slow: string) =>
      `launch: { latency: 60s }, programs: { boot: { duration: 1m } }, services: { slow: { programs: { boot: { duration: ${slow} } } } }`;
    const levels =
      "prelaunch: just-in-time\nlevels:\n  - { name: one, services: { slow: { boot: { command: x } }, other: { boot: { command: x } } } }\n  - { name: two, services: { b: { boot: { command: x } } } }\n";
    expect((await run.boot(mixed("9m"), levels)).state).toBe("ready");
    await run.terminate();
    // Slow is through at once: what is left takes two minutes, as it did before.
    await run.boot(mixed("1s"), levels);
    expect(run.state("b", "launching")).toBeLessThan(run.level("two"));
    expect(run.state("b", "launching")).toBeGreaterThanOrEqual(run.state("slow", "ready"));
  });

  test("takes longer than ever before has its successor's machines at once when that is known", async () => {
    const run = await SimRun.open();
    await again(run, "just-in-time");
    await run.terminate();
    const { state } = await run.boot(
      `${SLOW}, services: { a: { programs: { boot: { duration: 9m } } } }`,
      plan("just-in-time"),
    );
    expect(state).toBe("ready");
    expect(run.level("two") - run.state("b-1", "launching")).toBeGreaterThan(240);
    // What comes after is expected anew when the level begins.
    expect(run.level("three") - run.state("d", "launching")).toBeLessThan(0);
  });

  test("is new, with a machine like none before, is asked for one level ahead", async () => {
    const run = await SimRun.open();
    await again(run, "just-in-time");
    await run.terminate();
    await run.boot(
      SLOW,
      plan("just-in-time", ", huge: { size: huge, boot: { command: x } }, like: { boot: { command: x } }"),
    );
    expect(run.state("huge", "launching")).toBe(run.level("three"));
    expect(run.level("four") - run.state("like", "launching")).toBeLessThan(80);
  });
});

describe("an end", () => {
  test("a failed level ends those that were started, and those whose moment had not come are never asked for", async () => {
    const run = await SimRun.open();
    await again(run, "just-in-time");
    await run.terminate();
    const end = await run.boot(`${SLOW}, script: [{ service: a, program: boot, exit: 3 }]`, plan("just-in-time"));
    expect(end).toMatchObject({
      state: "failed",
      failures: [{ service: "a" }],
      unused: [
        { service: "b-1", ended: true },
        { service: "b-2", ended: true },
      ],
    });
    expect(await run.keys()).toEqual(["a.1", "b-1.1", "b-2.1"]);
    const failedAt = run.store.clock.now();
    expect((await run.repair()).state).toBe("ready");
    // Nothing of the failed command was left to wait for.
    expect(run.store.clock.now()).toBeGreaterThan(failedAt);
    expect(run.level("three") - run.state("c", "launching")).toBeLessThan(80);
  });

  test("an interrupted run waits for no moment, and a resume goes on", async () => {
    const run = await SimRun.open();
    await again(run, "just-in-time");
    await run.terminate();
    const end = await run.boot(
      SLOW,
      plan("just-in-time"),
      (event) => event.type === "service-state" && event.service === "a" && event.state === "booting",
    );
    expect(end).toMatchObject({ state: "interrupted", unused: [] });
    expect(await run.resume()).toMatchObject({ state: "ready", unused: [] });
    expect(await run.keys()).toEqual(["a.1", "b-1.1", "b-2.1", "c.1", "d.1"]);
  });
});

test("what is made from an attribute that is not known at its moment is asked for when it is", async () => {
  const run = await SimRun.open();
  const levels = `prelaunch: just-in-time
levels:
  - name: one
    services:
      a: { outputs: [image], boot: { command: x } }
      slow: { boot: { command: x } }
  - name: two
    services:
      by-output: { image: "\${a.image}", boot: { command: x } }
`;
  const cloud = (a: string) =>
    `launch: { latency: 60s }, services: { a: { programs: { boot: { duration: ${a} } } }, slow: { programs: { boot: { duration: 9m50s } } } }`;
  expect((await run.boot(cloud("1m"), levels)).state).toBe("ready");
  await run.terminate();
  expect((await run.boot(cloud("9m30s"), levels)).state).toBe("ready");
  expect(run.state("by-output", "launching")).toBe(run.state("a", "verifying"));
});

test("a moment that comes while a level takes machines down waits until the level has asked for its own", async () => {
  const run = await SimRun.open();
  const cloud =
    "launch: { latency: 60s }, programs: { terminate: { duration: 2m } }, services: { a: { programs: { boot: { duration: 5m } } }, b: { programs: { boot: { duration: 1m } } } }";
  const levels = (a: string, b: string, third: string) => `prelaunch: just-in-time
levels:
  - { name: one, services: { a: { boot: { command: ${a} } } } }
  - { name: two, services: { b: { ${b} boot: { command: x }, terminate: { command: x } } } }
${third}`;
  const third = "  - { name: three, services: { c: { boot: { command: x } } } }\n";
  expect((await run.boot(cloud, levels("x", "", third))).state).toBe("ready");
  await run.terminate();
  expect((await run.boot(cloud, levels("x", "", ""))).state).toBe("ready");
  expect((await run.reload(cloud, levels("y", "size: big,", third))).state).toBe("ready");
  expect(run.state("b", "launching") - run.level("two")).toBeGreaterThan(110);
  expect(run.state("c", "launching")).toBeGreaterThanOrEqual(run.state("b", "launching"));
  expect(run.state("c", "launching")).toBeLessThan(run.level("three"));
});
