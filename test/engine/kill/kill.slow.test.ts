/**
 * A launcher that dies anywhere on the way up: around every write and every call to a cloud, by a real SIGKILL; then
 * the next command.
 */
import { test } from "@jest/globals";

import { everyPoint, expectNothingLost } from "../../support/killing.js";

test.each(["boot", "repair"])(
  "%s, killed at every point, loses no machine and starts none twice",
  async (name) => {
    await expectNothingLost(name);
  },
  600_000,
);

test("resume, killed at every third point, loses no machine and starts none twice", async () => {
  await expectNothingLost("resume", everyPoint(3));
}, 600_000);

test("a boot that is killed around its launches is rebooted without a machine that is lost or there twice", async () => {
  await expectNothingLost("boot that a reboot follows", (point, name) => point % 8 === 0 || /intent|launch/.test(name));
}, 600_000);
