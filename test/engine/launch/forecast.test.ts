/** What earlier runs say of how long machines and levels take. */
import { describe, expect, test } from "@jest/globals";

import { Forecast } from "../../../src/engine/launch/forecast.js";
import type { PastRun, PastService } from "../../../src/state/contract/pastRuns.js";

const service = (spec: string, launchMs: number | null, workMs: number | null): PastService => ({
  spec,
  launchMs,
  workMs,
});
const run = (...services: PastService[]): PastRun => ({ cameUp: true, services });
const small = new Map([
  ["a", "sky small"],
  ["b", "sky small"],
  ["new", "sky small"],
  ["other", "sky big"],
]);
const there = (spec: string) => ({ spec, launches: false });

describe("how long before it is needed a machine is asked for", () => {
  test("nine of ten earlier launches of the service, replicas together, were as quick", () => {
    const runs = Array.from({ length: 5 }, (_, index) =>
      run(service("a", 10 + index * 20, 1), service("a", 20 + index * 20, 1), service("b", 1_000, 1)),
    );
    expect(new Forecast(runs, small).lead("a")).toBe(90);
  });

  test("of a few, the slowest counts", () => {
    expect(
      new Forecast([run(service("a", 30, null)), run(service("a", 70, null)), run(service("a", 50, null))], small).lead(
        "a",
      ),
    ).toBe(70);
  });

  test("a new service is taken for others of its kind, and of what is like nothing known nothing is said", () => {
    const forecast = new Forecast([run(service("a", 30, 1), service("b", 90, 1), service("gone", 500, 1))], small);
    expect([forecast.lead("new"), forecast.lead("other"), forecast.lead("unheard-of")]).toEqual([90, null, null]);
  });
});

describe("how much longer a level goes on", () => {
  const runs = [100, 200, 300, 400].map((ms) => run(service("a", 50, ms), service("b", 60, 150)));
  const forecast = new Forecast(runs, small);

  test("as long as its slowest service took, in the quick quarter of all runs", () => {
    expect(forecast.remaining([there("a"), there("b")], 0)).toBe(150);
    expect(forecast.remaining([there("a")], 0)).toBe(100);
  });

  test("with the launch, where its machine is asked for with the level", () => {
    expect(forecast.remaining([there("a"), { spec: "b", launches: true }], 0)).toBe(210);
  });

  test("runs in which it was done by now say nothing any more; if all were, it may be done at any moment", () => {
    expect(forecast.remaining([there("a"), there("b")], 250)).toBe(50);
    expect(forecast.remaining([there("a"), there("b")], 350)).toBe(50);
    expect(forecast.remaining([there("a"), there("b")], 500)).toBe(0);
  });

  test("of replicas the slowest counts", () => {
    expect(
      new Forecast([run(service("a", 50, 10), service("a", 60, 90), service("a", 200, 20))], small).remaining(
        [{ spec: "a", launches: true }],
        0,
      ),
    ).toBe(220);
  });

  test("a new service takes what is usual for its kind, and one that is like nothing known counts for nothing", () => {
    expect(forecast.remaining([there("new")], 0)).toBe(150);
    expect(forecast.remaining([there("a"), there("other")], 0)).toBe(100);
    expect(forecast.remaining([there("other")], 0)).toBeNull();
  });

  test("nothing to do takes no time, and without earlier runs nothing is said", () => {
    expect(forecast.remaining([], 10)).toBe(0);
    expect(new Forecast([], small).remaining([there("a")], 0)).toBeNull();
  });

  test("a run that failed tells of what had come up", () => {
    const failed = new Forecast([run(service("a", 50, 10), service("b", 60, null))], small);
    expect([failed.remaining([there("a")], 0), failed.lead("b")]).toEqual([10, 60]);
  });
});
