/** When machines of later levels are asked for, by what is known of the level under way. */
import { expect, test } from "@jest/globals";

import { expectedBegins, launchTimeAt, type LaterWork } from "../../../src/engine/launch/launchTimes.js";
import { Forecast } from "../../../src/engine/launch/forecast.js";

const S = 1_000;
/**
 * One earlier run: launches of a minute, b's of 62 s, far's of 10 minutes; a level takes 100 s once its machines are
 * there.
 */
const past = [
  {
    cameUp: true,
    services: [
      ["a", 60],
      ["b", 62],
      ["c", 60],
      ["d", 30],
      ["far", 600],
    ].map(([spec, launch]) => ({ spec: String(spec), launchMs: Number(launch) * S, workMs: 100 * S })),
  },
];
const forecast = new Forecast(past, new Map());
const later = (spec: string, cloud: string | null = "sky"): LaterWork => ({ spec, launches: false, cloud });
const present = { startedAt: 0, works: [{ spec: "a", launches: true }] };

test("each level is expected to begin when those before it are through", () => {
  expect(expectedBegins(forecast, present, [[later("b")], [later("c")]], 0)).toEqual([160 * S, 260 * S]);
  // Later than ever before: it may be through at any moment.
  expect(expectedBegins(forecast, present, [[later("b")], [later("c")]], 170 * S)).toEqual([170 * S, 270 * S]);
  // Its services are ready sooner than ever before.
  expect(expectedBegins(forecast, { startedAt: 0, works: [] }, [[later("b")], [later("c")]], 110 * S)).toEqual([
    110 * S,
    210 * S,
  ]);
});

test("a machine is asked for as long before its level as its launch takes", () => {
  expect(launchTimeAt(forecast, present, [[later("c")]], 0)).toEqual({ due: [], next: 100 * S });
  expect(launchTimeAt(forecast, present, [[later("c")]], 100 * S)).toEqual({ due: ["c"], next: null });
});

test("machines of a level that are wanted at nearly the same moment go out together, cloud by cloud", () => {
  const level = [later("b"), later("c"), later("d"), later("a", "rack")];
  expect(launchTimeAt(forecast, present, [level], 97 * S)).toEqual({ due: [], next: 98 * S });
  expect(launchTimeAt(forecast, present, [level], 98 * S)).toEqual({ due: ["b", "c"], next: 100 * S });
});

test("a machine that takes longer than all levels before it is asked for at once", () => {
  expect(launchTimeAt(forecast, present, [[later("b")], [later("c")], [later("far")]], 0)).toEqual({
    due: ["far"],
    next: 98 * S,
  });
});

test("what nothing is known of is asked for one level ahead", () => {
  expect(launchTimeAt(forecast, present, [[later("new"), later("b")], [later("newer")]], 0)).toEqual({
    due: ["new"],
    next: 98 * S,
  });
  expect(
    launchTimeAt(forecast, { startedAt: 0, works: [{ spec: "new", launches: true }] }, [[later("b")], [later("c")]], 0),
  ).toEqual({ due: ["b"], next: null });
});

test("services whose machines wait for their level, or that have none, are not asked for and yet take their time", () => {
  expect(launchTimeAt(forecast, present, [[{ spec: "b", launches: true, cloud: null }], [later("c")]], 0)).toEqual({
    due: [],
    next: 262 * S,
  });
});
