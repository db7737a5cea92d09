/**
 * A cloud that shows machines late is asked again long after a machine was first wished for: what comes of the last
 * call counts.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, expect, test } from "@jest/globals";

import { judgeDown, scenarioOf } from "../../support/killScenarios.js";
import { Lane } from "../../support/lane.js";

const HIDDEN_MS = 1_500;
let lane: Lane;
afterEach(async () => lane.close());

test("a launcher dies in the call of a machine that an earlier one had wished for: terminate waits until the cloud must show it", async () => {
  lane = new Lane({ driver: "test", options: `access: driver, visibilityMs: ${HIDDEN_MS}` });
  const { command } = await scenarioOf("boot").prepare(lane);
  expect(await lane.carryOut(command, { point: "before c launch" })).toMatchObject({ kind: "killed" });
  expect(lane.machines()).toEqual([]);
  await sleep(2 * HIDDEN_MS);
  expect(await lane.carryOut({ verb: "resume" }, { point: "after c launch" })).toMatchObject({ kind: "killed" });
  expect(lane.machines()).not.toEqual([]);
  expect(judgeDown(lane, await lane.finish({ verb: "terminate" }))).toEqual([]);
});

test("the cloud turns a launch away until its machines are long wished for, and the launcher dies in the call that takes effect: terminate waits for them", async () => {
  lane = new Lane({ driver: "test", options: `access: driver, visibilityMs: ${HIDDEN_MS}, throttleFirst: 3` });
  const { command } = await scenarioOf("boot").prepare(lane);
  lane.save();
  const { points } = await lane.finish(command);
  lane.restore();
  const calls = points.flatMap((name, index) => (name === "after c launch" ? [index + 1] : []));
  expect(await lane.carryOut(command, { point: calls[3] as number })).toMatchObject({ kind: "killed" });
  expect(lane.machines()).not.toEqual([]);
  expect(judgeDown(lane, await lane.finish({ verb: "terminate" }))).toEqual([]);
});
