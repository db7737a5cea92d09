/** A launcher that dies anywhere while it changes a run or takes it down, as in `kill.test.ts`. */
import { test } from "@jest/globals";

import { everyPoint, expectNothingLost } from "../../support/killing.js";

test("terminate, killed at every point, loses no machine and starts none twice", async () => {
  await expectNothingLost("terminate");
}, 600_000);

// The rest of the points: BOOTLEVEL_KILL_EVERY=1.
test.each(["reload", "reboot"])(
  "%s, killed at every third point, loses no machine and starts none twice",
  async (name) => {
    await expectNothingLost(name, everyPoint(3));
  },
  600_000,
);
