/** Whoever asks for too much comes later, and nobody is refused. */
import { expect, test } from "@jest/globals";

import { RateLimit } from "../../../src/engine/coordination/rateLimit.js";

test("so many come at once, and the others one after the other", async () => {
  const pace = new RateLimit(100, 5);
  const startedAt = performance.now();
  const times = await Promise.all(
    Array.from({ length: 25 }, async () => {
      await pace.turn(new AbortController().signal);
      return performance.now() - startedAt;
    }),
  );
  // Twenty of them a hundredth of a second apart: never sooner, whatever the machine does.
  expect(times.filter((ms) => ms >= 150).length).toBeGreaterThanOrEqual(3);
  expect([...times].sort((one, other) => one - other)).toEqual(times);
});

test("whoever waits no more is let go", async () => {
  const pace = new RateLimit(0.01, 0);
  // The first one comes at once, however young the process is.
  await pace.turn(new AbortController().signal);
  const gone = new AbortController();
  const turn = pace.turn(gone.signal);
  gone.abort();
  await expect(turn).rejects.toMatchObject({ name: "AbortError" });
});
