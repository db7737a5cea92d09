/** Machines that their cloud ends before anybody could use them: others are launched in their place, up to a limit. */
import { expect, test } from "@jest/globals";

import type { RunEvent } from "../../../src/model/events.js";
import { SimRun } from "../../support/simRun.js";

const cloud = (script: string) => `launch: { latency: 60s }, script: [${script}]`;
const plan = `levels:
  - name: one
    services: { web: { replicas: 2, boot: { command: x } } }
`;
const DEATH = "InstanceFailure: the simulated machine died";
const dies = (times: readonly number[]) =>
  cloud(times.map((nth) => `{ call: launch, service: web-2, nth: ${nth}, fault: die }`).join(", "));
const words = (generation: number, next: string): RegExp =>
  new RegExp(
    `^web-2: machine \\S+ went to "terminated" before it could be reached: ${DEATH}; ${next}$`.replace(
      "#",
      String(generation),
    ),
  );

test("a machine that dies while it starts is replaced in the same command, and its end is on record", async () => {
  const run = await SimRun.open();
  expect(await run.boot(dies([1]), plan)).toMatchObject({ state: "ready" });
  expect(await run.keys()).toEqual(["web-1.1", "web-2.1", "web-2.2"]);
  expect((await run.past()).get("web-2.1")).toMatchObject({ now: "terminated", end: expect.stringContaining(DEATH) });
  expect(run.warnings()).toEqual([expect.stringMatching(words(1, "launching another one \\(2 of at most 3\\)"))]);
  expect(await run.terminate()).toMatchObject({ failures: [] });
});

test("three in a row are enough: the failure says why, and the next command tries again", async () => {
  const run = await SimRun.open();
  const end = await run.boot(dies([1, 2, 3]), plan);
  expect(end).toMatchObject({ state: "failed", failures: [{ service: "web-2", step: "launch" }] });
  expect(end.failures[0]?.message).toContain(DEATH);
  expect(await run.keys()).toEqual(["web-1.1", "web-2.1", "web-2.2", "web-2.3"]);
  expect(run.warnings()).toHaveLength(2);
  expect(await run.resume()).toMatchObject({ state: "ready" });
  expect(await run.keys()).toEqual(["web-1.1", "web-2.1", "web-2.2", "web-2.3", "web-2.4"]);
});

test("one that has its address and dies while it is connected to is replaced, too, as soon as its cloud tells", async () => {
  const run = await SimRun.open();
  const script = "{ service: web-2, at: 60s, fault: unreachable, for: 10m }, { service: web-2, at: 65s, fault: die }";
  expect(await run.boot(cloud(script), plan)).toMatchObject({ state: "ready" });
  expect(await run.keys()).toEqual(["web-1.1", "web-2.1", "web-2.2"]);
  expect(run.warnings()).toEqual([expect.stringMatching(words(1, "launching another one \\(2 of at most 3\\)"))]);
});

test("a launcher that is stopped right then launches nothing twice", async () => {
  const run = await SimRun.open();
  const told = (event: RunEvent): boolean => event.type === "warning";
  expect(await run.boot(dies([1]), plan, told)).toMatchObject({ state: "interrupted" });
  expect(await run.resume()).toMatchObject({ state: "ready" });
  expect((await run.machines()).filter(({ state }) => state !== "ended")).toHaveLength(2);
  expect([...new Set(await run.keys())]).toHaveLength((await run.keys()).length);
});
