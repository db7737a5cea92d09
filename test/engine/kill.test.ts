/** A launcher that dies anywhere: around every write and every call to a cloud, by a real SIGKILL; then the next command. */
import { expect, test } from "@jest/globals";

import { killEverywhere } from "../support/killing.js";
import { scenarios } from "../support/killScenarios.js";

test.each(scenarios)("$name, killed at every point, loses no machine and starts none twice", async (scenario) => {
  const { points, deaths, wrong } = await killEverywhere(scenario, { cloud: { driver: "test", options: "access: driver" }, lanes: 8 });
  expect(wrong).toEqual([]);
  // What runs side by side does not always come in the same number of pieces.
  expect(deaths).toBeGreaterThanOrEqual(points.length * 0.95);
  expect(points.length).toBeGreaterThan(30);
}, 120_000);
