/** A launcher that dies anywhere while it changes a run or takes it down, as in `kill.test.ts`. */
import { test } from "@jest/globals";

import { expectNothingLost } from "../support/killing.js";

test.each(["reload", "reboot", "terminate"])("%s, killed at every point, loses no machine and starts none twice", async (name) => {
  await expectNothingLost(name);
}, 600_000);
