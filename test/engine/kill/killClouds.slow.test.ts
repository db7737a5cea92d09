/**
 * Launchers that die on clouds that show machines late, lose replies or ask for fewer calls. A sample of the points of
 * `kill.test.ts`: BOOTLEVEL_KILL_EVERY=1 takes every one.
 */
import { expect, test } from "@jest/globals";

import { killEverywhere } from "../../support/killing.js";
import { scenarios } from "../../support/killScenarios.js";

const EVERY = Number(process.env["BOOTLEVEL_KILL_EVERY"] ?? 83);
const clouds = [
  { what: "shows machines late", options: "access: driver, visibilityMs: 2000" },
  { what: "loses every third reply", options: "access: driver, loseEvery: 3" },
  { what: "turns every third call away", options: "access: driver, throttleEvery: 3" },
];

test.each(clouds)(
  "commands killed on a cloud that $what lose no machine and start none twice",
  async ({ options }) => {
    // Mostly waiting, so side by side.
    const ends = await Promise.all(
      scenarios.map((scenario, index) =>
        killEverywhere(scenario, { cloud: { driver: "test", options }, lanes: 3, choose: sample((5 * index) % EVERY) }),
      ),
    );
    expect(ends.flatMap(({ wrong }) => wrong)).toEqual([]);
    for (const { deaths } of ends) expect(deaths).toBeGreaterThan(0);
  },
  900_000,
);

/**
 * Every so many points; and around the first launch, where a machine may be there that nothing but the wish for it
 * tells of.
 */
function sample(first: number): (point: number, name: string) => boolean {
  let launched = 0;
  return (point, name) => {
    if (name === "before c launch") launched ||= point;
    return point % EVERY === first || (launched > 0 && point < launched + 4);
  };
}
