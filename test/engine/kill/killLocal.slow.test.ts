/**
 * Launchers that die on the real driver for this computer, with real machines' programs: at points of their way, and at
 * random moments.
 */
import { expect, test } from "@jest/globals";

import { killAtMoments, killEverywhere } from "../../support/killing.js";
import { scenarios } from "../../support/killScenarios.js";
import { random } from "../../support/seed.js";

const EVERY = Number(process.env["BOOTLEVEL_KILL_EVERY"] ?? 83);

test.each(scenarios)(
  "$name, killed on the real driver for this computer, loses no machine and starts none twice",
  async (scenario) => {
    const { deaths, wrong } = await killEverywhere(scenario, {
      cloud: { driver: "local" },
      lanes: 5,
      choose: (point) => point % EVERY === 5 % EVERY,
    });
    expect(wrong).toEqual([]);
    expect(deaths).toBeGreaterThan(0);
  },
  600_000,
);

/** How many for each command; more by hand: BOOTLEVEL_KILLS=500. */
const KILLS = Math.ceil(Number(process.env["BOOTLEVEL_KILLS"] ?? 12) / scenarios.length);

test.each(scenarios)(
  `$name, killed at ${KILLS} random moments, loses no machine and starts none twice`,
  async (scenario) => {
    const moments = (wholeMs: number) => Array.from({ length: KILLS }, () => Math.round(random() * wholeMs));
    const { deaths, wrong } = await killAtMoments(scenario, moments, { cloud: { driver: "local" }, lanes: 3 });
    expect(wrong).toEqual([]);
    if (KILLS > 20) expect(deaths).toBeGreaterThan(KILLS / 2);
  },
  60_000 + KILLS * 3_000,
);
