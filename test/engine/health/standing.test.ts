import { expect, test } from "@jest/globals";

import { standingOf } from "../../../src/engine/health/standing.js";
import type { ServiceState } from "../../../src/model/events.js";

const alone = { failure: null, due: null };

test.each<[ServiceState, string, string, string]>([
  ["planned", "not-up", "waits for its turn", "was not started"],
  ["launching", "not-up", "is launching", "was interrupted while launching"],
  ["connecting", "not-up", "is connecting", "was interrupted while connecting"],
  ["booting", "not-up", "is booting", "was interrupted while booting"],
  ["verifying", "not-up", "is verifying", "was interrupted while verifying"],
  ["executing", "executing", "its execute program runs", "was interrupted while executing"],
  ["terminating", "down", "is being taken down", "was interrupted while being taken down"],
  ["terminated", "down", "was taken down", "was taken down"],
])("%s: %s; %s, or without a launcher: %s", (state, trouble, working, left) => {
  expect(standingOf({ state, ...alone }, true)).toEqual({ trouble, message: working });
  expect(standingOf({ state, ...alone }, false)).toEqual({ trouble, message: left });
});

test("what a repair has to do is told when nobody does it", () => {
  const due = { stage: "boot" as const, reason: "db.port changed" };
  expect(standingOf({ state: "booting", failure: null, due }, false).message).toBe("repair is due: db.port changed");
  expect(standingOf({ state: "booting", failure: null, due }, true).message).toBe("is booting");
});
