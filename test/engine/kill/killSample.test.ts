/**
 * A few deaths of a launcher on the way up and down, so that everybody meets them; the suites beside this one take
 * every point of every command.
 */
import { expect, test } from "@jest/globals";

import { killEverywhere } from "../../support/killing.js";
import { scenarioOf } from "../../support/killScenarios.js";

test.each(["boot", "terminate"])("%s, killed at five points, loses no machine and starts none twice", async (name) => {
  const scenario = scenarioOf(name);
  const taken = new Set<string>();
  // Around the launches and the ends of machines, once each: there a machine could be lost.
  const choose = (_point: number, at: string): boolean =>
    taken.size < 5 && / (intent|launched|ended|c launch|c terminate)/.test(at) && taken.size < taken.add(at).size;
  const { deaths, wrong } = await killEverywhere(scenario, {
    cloud: { driver: "test", options: "access: driver" },
    lanes: 3,
    choose,
  });
  expect(wrong).toEqual([]);
  expect(deaths).toBeGreaterThanOrEqual(4);
});
