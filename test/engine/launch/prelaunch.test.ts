/** Machines that are started before their level: what is gained, in which order clouds are asked, and what waits. */
import { describe, expect, test } from "@jest/globals";

import { SimRun } from "../../support/simRun.js";

const MINUTE = "launch: { latency: 60s }, programs: { boot: { duration: 10s } }";
const three = (prelaunch: string) => `${prelaunch}
levels:
  - name: one
    services: { a: { boot: { command: x } } }
  - name: two
    services: { b: { replicas: 2, boot: { command: x } } }
  - name: three
    services: { c: { boot: { command: x } } }
`;

async function seconds(prelaunch: string): Promise<number> {
  const run = await SimRun.open();
  const { state, ms } = await run.boot(MINUTE, three(prelaunch));
  expect(state).toBe("ready");
  // How far ahead machines are asked for changes nothing about which.
  expect((await run.keys()).sort()).toEqual(["a.1", "b-1.1", "b-2.1", "c.1"]);
  return ms / 1_000;
}

test("levels whose machines take a minute each no longer pay it one after the other", async () => {
  const [none, next, all] = [
    await seconds("prelaunch: none"),
    await seconds("prelaunch: next"),
    await seconds("prelaunch: all"),
  ];
  expect(none).toBeGreaterThan(210);
  expect(next).toBeLessThan(165);
  expect(all).toBeLessThan(105);
  expect(await seconds("")).toBe(next);
});

describe("order", () => {
  test("with none, no machine is asked for before its level", async () => {
    const run = await SimRun.open();
    await run.boot(MINUTE, three("prelaunch: none"));
    for (const [service, level] of [
      ["a", "one"],
      ["b-1", "two"],
      ["c", "three"],
    ] as const)
      expect(run.state(service, "launching")).toBeGreaterThanOrEqual(run.level(level));
    const launching = run.events.findIndex((event) => event.type === "service-state" && event.service === "c");
    expect(launching).toBeGreaterThan(
      run.events.findIndex((event) => event.type === "level-started" && event.level === "three"),
    );
  });

  test("a level's own call is answered before the wish for the next level is written, and one call a level is made", async () => {
    const run = await SimRun.open();
    await run.boot(`${MINUTE}, calls: { latency: 2s }`, three("prelaunch: all"));
    const wishes = run.points
      .filter((point) => point === "launch" || point.includes("intent") || point.includes("launched"))
      .slice(0, 9);
    const early = "write launch-intent+service+event";
    expect(wishes).toEqual([
      "write launch-intent",
      "launch",
      "write launched",
      "write launch-intent+launch-intent+service+service+event+event",
      "launch",
      "write launched+launched",
      early,
      "launch",
      "write launched",
    ]);
    expect(run.calls("launch")).toBe(3);
  });

  test("next begins with the level, all reaches to the last level", async () => {
    const next = await SimRun.open();
    await next.boot(MINUTE, three("prelaunch: next"));
    expect([
      next.state("b-1", "launching") < next.level("two"),
      next.state("c", "launching") >= next.level("two"),
      next.state("c", "launching") < next.level("three"),
    ]).toEqual([true, true, true]);
    const all = await SimRun.open();
    await all.boot(MINUTE, three("prelaunch: all"));
    expect(all.state("c", "launching")).toBeLessThan(all.level("two"));
  });

  test("nothing runs on an early machine, and nothing connects to it, before its level", async () => {
    const run = await SimRun.open();
    await run.boot(MINUTE, three("prelaunch: all"));
    for (const [service, level] of [
      ["b-1", "two"],
      ["b-2", "two"],
      ["c", "three"],
    ] as const) {
      expect(run.state(service, "connecting")).toBeGreaterThanOrEqual(run.level(level));
      expect(run.at((event) => event.type === "machine-launched" && event.service === service)).toBeLessThan(
        run.level(level),
      );
    }
    expect(run.events.filter((event) => event.type === "machine-launched")).toHaveLength(4);
    expect(
      run.events
        .filter((event) => event.type === "service-state" && event.service === "c")
        .map((event) => "state" in event && event.state),
    ).toEqual(["launching", "connecting", "booting", "verifying", "ready"]);
  });
});

test("what is made from an attribute is asked for as soon as the attribute is known, and no sooner", async () => {
  const run = await SimRun.open();
  const { state } = await run.boot(
    `${MINUTE}, services: { slow: { programs: { boot: { duration: 5m } } } }`,
    `prelaunch: next
levels:
  - name: one
    services:
      a: { outputs: [image], boot: { command: x } }
      slow: { boot: { command: x } }
  - name: two
    services:
      by-output: { image: "\${a.image}", boot: { command: x } }
      by-host: { size: "\${a.host}", boot: { command: x } }
      by-level: { size: "\${slow.host}-\${a.image}", boot: { command: x } }
  - name: three
    services:
      far: { size: "\${a.host}", boot: { command: x } }
`,
  );
  expect(state).toBe("ready");
  expect(run.state("by-host", "launching")).toBe(
    run.at((event) => event.type === "machine-launched" && event.service === "a"),
  );
  expect(run.state("by-output", "launching")).toBe(run.state("a", "verifying"));
  expect(run.state("by-level", "launching")).toBeLessThan(run.level("two"));
  // Known since level one, and asked for when its turn comes.
  expect(run.state("far", "launching")).toBe(run.level("two"));
  expect((await run.service("by-output")).state).toBe("ready");
});

test("a thousand services are asked for in one call a level, and polled in one question", async () => {
  const run = await SimRun.open();
  const { state } = await run.boot(
    "launch: { latency: 60s }",
    "prelaunch: all\nconcurrency: 1000\nlevels:\n  - services: { a: { replicas: 10, boot: { command: x } } }\n  - services: { b: { replicas: 990 } }\n",
  );
  expect(state).toBe("ready");
  expect(run.calls("launch")).toBe(2);
  // 60 s with a question each second for all of them, and one look at what is there when the second level begins.
  expect(run.calls("describe")).toBeLessThan(65);
}, 60_000);
