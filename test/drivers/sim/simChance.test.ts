/** Chance that can be repeated, and distributions that are what they say. */
import { expect, test } from "@jest/globals";

import { drawMs, happens, uniform, type Distribution } from "../../../src/drivers/sim/chance.js";

const draws = (distribution: Distribution) =>
  Array.from({ length: 4_000 }, (_, index) => drawMs(distribution, "seed", index)).sort((a, b) => a - b);
const quantile = (sorted: readonly number[], share: number) => sorted[Math.floor(share * sorted.length)] as number;

test("the same words always draw the same number, and words are not run together", () => {
  expect(uniform("a", "b", 1)).toBe(uniform("a", "b", "1"));
  expect(new Set([uniform("a", "b"), uniform("ab"), uniform("b", "a"), uniform("a", "b", "")]).size).toBe(4);
});

test("a log-normal distribution with a limit never goes beyond it, and keeps its median", () => {
  const sorted = draws({ kind: "log-normal", p50: 40_000, p95: 90_000, max: 100_000 });
  expect(sorted.at(-1)).toBe(100_000);
  expect(sorted[Math.floor(sorted.length / 2)]).toBeGreaterThan(35_000);
});

test("a log-normal distribution has the median and the 95th percentile that it was given", () => {
  const sorted = draws({ kind: "log-normal", p50: 40_000, p95: 90_000, max: Infinity });
  expect(quantile(sorted, 0.5) / 40_000).toBeCloseTo(1, 1);
  expect(quantile(sorted, 0.95) / 90_000).toBeCloseTo(1, 1);
  expect(sorted[0]).toBeGreaterThan(0);
});

test("a uniform distribution keeps to its bounds and fills them, an exponential one has its mean", () => {
  const even = draws({ kind: "uniform", min: 10_000, max: 30_000 });
  expect([even[0], even.at(-1)].map((ms) => Math.round((ms ?? 0) / 1_000))).toEqual([10, 30]);
  expect(quantile(even, 0.5) / 20_000).toBeCloseTo(1, 1);
  const waits = draws({ kind: "exponential", mean: 20_000 });
  expect(waits.reduce((sum, ms) => sum + ms, 0) / waits.length / 20_000).toBeCloseTo(1, 1);
});

test("never is never and certain is certain", () => {
  const times = Array.from({ length: 1_000 }, (_, index) => index);
  expect(times.some((index) => happens(0, index))).toBe(false);
  expect(times.every((index) => happens(1, index))).toBe(true);
  expect(times.filter((index) => happens(0.25, index)).length / times.length).toBeCloseTo(0.25, 1);
});
