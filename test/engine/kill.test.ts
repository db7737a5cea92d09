/** A launcher that dies anywhere on the way up: around every write and every call to a cloud, by a real SIGKILL; then the next command. */
import { test } from "@jest/globals";

import { expectNothingLost } from "../support/killing.js";
import { scenarios } from "../support/killScenarios.js";

test.each(["boot", "resume", "repair"])("%s, killed at every point, loses no machine and starts none twice", async (name) => {
  await expectNothingLost(scenarios.find((scenario) => scenario.name === name));
}, 120_000);
