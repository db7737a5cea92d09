/**
 * A launcher that dies anywhere while machines of levels that have not begun are started, or ended again, as in
 * `kill.test.ts`.
 */
import { expect, test } from "@jest/globals";

import { killEverywhere } from "../../support/killing.js";
import { earlyScenarios } from "../../support/killScenarios.js";

/** A sample of all points, and of those around launches and ends: BOOTLEVEL_KILL_EVERY=1 takes every one. */
const EVERY = Number(process.env["BOOTLEVEL_KILL_EVERY"] ?? 9);
const around = (name: string) => / (intent|launched|ended|c launch|c terminate)/.test(name);
// Points in pairs: what follows the death at an even one differs from what follows at an odd one.
const choose = (point: number, name: string) =>
  point % EVERY === EVERY >> 1 || (EVERY < 10 && point % 4 < 2 && around(name));

test.each(earlyScenarios)(
  "$name, killed where its machines come and go, loses none, starts none twice and keeps none unused",
  async (scenario) => {
    const { points, deaths, wrong } = await killEverywhere(scenario, {
      cloud: { driver: "test", options: "access: driver" },
      choose,
    });
    expect(wrong).toEqual([]);
    const chosen = points.filter((point, index) => choose(index + 1, point)).length;
    // A failure may come before or after what is asked for at the same moment: the way is not always equally long.
    expect(deaths).toBeGreaterThan(chosen / 2);
  },
  600_000,
);

test.each(["visibilityMs: 2000", "loseEvery: 3"])(
  "a failed boot on a cloud with %s, killed around its launches, loses no machine and starts none twice",
  async (options) => {
    const scenario = earlyScenarios[1] as (typeof earlyScenarios)[number];
    let met = 0;
    const sample = (_: number, name: string) => around(name) && (met += 1) % 8 === 4;
    const { deaths, wrong } = await killEverywhere(scenario, {
      cloud: { driver: "test", options: `access: driver, ${options}` },
      lanes: 4,
      choose: sample,
    });
    expect(wrong).toEqual([]);
    expect(deaths).toBeGreaterThan(0);
  },
  600_000,
);
