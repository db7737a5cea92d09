/** Random choices: the same again for the same seed and test. */
import { expect, test } from "@jest/globals";

import { choicesOf, random, randomBelow, randomBytes } from "./seed.js";

test("one origin gives the same choices each time, another one others", () => {
  const [first, again, other] = ["a", "a", "b"].map((origin) => choicesOf(origin).bytes(64).toString("hex"));
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test("numbers are in their range, and all of it is met", () => {
  const met = new Set(Array.from({ length: 500 }, () => randomBelow(5)));
  expect([...met].sort()).toEqual([0, 1, 2, 3, 4]);
  for (let count = 0; count < 500; count += 1) {
    expect(random()).toBeGreaterThanOrEqual(0);
    expect(random()).toBeLessThan(1);
  }
  expect(randomBytes(1_000)).toHaveLength(1_000);
});
