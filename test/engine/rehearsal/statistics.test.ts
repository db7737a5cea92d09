/** What many rehearsals say together. */
import { expect, test } from "@jest/globals";

import {
  commonCause,
  spread,
  summarise,
  type Attempt,
  type Rehearsal,
} from "../../../src/engine/rehearsal/statistics.js";

const dead = { service: "web", step: "boot", message: "it died" };
const full = { service: "db", step: "launch", message: "no room" };
const up = (endMs: number): Attempt => ({ ready: true, endMs, causes: [] });
const down = (endMs: number, ...causes: Attempt["causes"]): Attempt => ({ ready: false, endMs, causes });
const rehearsals: Rehearsal[] = [
  { seed: "1.1", attempts: [up(100)] },
  { seed: "1.2", attempts: [down(50, dead, dead), up(300)] },
  { seed: "1.3", attempts: [down(50, dead), down(60, full), up(500)] },
  { seed: "1.4", attempts: [down(50, full, dead), down(60, full), down(70, full)] },
];

test("ready runs add up with the repairs, and times are those of the runs that came up", () => {
  expect(summarise(rehearsals, 2)).toMatchObject({
    runs: 4,
    ready: [1, 2, 3],
    ms: { boot: { p50: 100, p95: 100 }, end: { p50: 300, p95: 500 } },
  });
});

test("a cause counts once a run, at the boot and in the end, the worst first, with a seed to look at it again", () => {
  expect(summarise(rehearsals, 2).causes).toEqual([
    { ...full, atBoot: 1, inTheEnd: 1, seed: "1.4" },
    { ...dead, atBoot: 3, inTheEnd: 0, seed: "1.2" },
  ]);
});

test("no rehearsal, and none that came up, are said as they are", () => {
  expect(summarise([], 1)).toEqual({ runs: 0, ready: [0, 0], ms: { boot: null, end: null }, causes: [] });
  expect(summarise([{ seed: "1", attempts: [down(5, dead)] }], 0)).toMatchObject({
    ready: [0],
    ms: { boot: null, end: null },
  });
});

test("percentiles are times that really were", () => {
  const times = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(spread(times)).toEqual({ p50: 50, p95: 95 });
  expect(spread([7])).toEqual({ p50: 7, p95: 7 });
  expect(spread([])).toBeNull();
});

test("replicas and machines that fail alike are one cause", () => {
  const cause = (service: string, id: string, host: string) =>
    commonCause(
      {
        service,
        step: "launch",
        message: `no machine for ${service}: i-${id.repeat(17)} at ${host} is gone after 10.5 s`,
      },
      "web",
    );
  expect(cause("web-1", "a", "10.1.2.3")).toEqual(cause("web-12", "7", "10.255.0.1"));
  expect(cause("web-1", "a", "10.1.2.3").message).toBe("no machine for web: i-… at 10.x.x.x is gone after 10.5 s");
});
