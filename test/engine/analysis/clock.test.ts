/** A wall clock that somebody sets while a run is booted. */
import { expect, test } from "@jest/globals";

import { numbersIn, sectionOf, Story } from "./story.js";

const levels = { one: ["a", "b"] };

/** Nothing negative, nothing that is no number, and a chain without gaps, whatever the clock did. */
function expectSound(story: Story): ReturnType<typeof sectionOf> {
  const section = sectionOf(story);
  for (const number of numbersIn(section)) expect(number).toBeGreaterThanOrEqual(0); // NaN is not
  expect(
    section.chain.reduce((until, part) => {
      expect(part.startMs).toBe(until);
      return until + part.ms;
    }, 0),
  ).toBe(section.chainMs);
  expect(Math.abs(section.chainMs - section.wallMs)).toBeLessThanOrEqual(section.wallMs / 100);
  return section;
}

test("set back by an hour between two steps: the hour is taken out", () => {
  const hour = 3_600_000;
  const story = new Story()
    .begin(0, levels)
    .level(0, "one")
    .start(0, "a", "boot")
    .finish(400, "a", "boot")
    .state(500 - hour, "a", "verifying")
    .start(500 - hour, "a", "ready")
    .finish(800 - hour, "a", "ready");
  story
    .state(800 - hour, "a", "ready")
    .endLevel(800 - hour, "one")
    .end(800 - hour);
  const section = expectSound(story);
  expect(section).toMatchObject({
    clockSet: true,
    blame: [
      { step: "boot", ms: 400 },
      { step: "ready", ms: 300 },
    ],
  });
  expect(section.wallMs).toBe(700); // the 100 ms between the two steps cannot be known
});

test("set back during a step: its negative `ms` says nothing, the step has no length, what follows keeps its own", () => {
  const story = new Story()
    .begin(0, levels)
    .level(0, "one")
    .start(100, "a", "boot")
    .finish(-60_000, "a", "boot", { ms: -60_100 })
    .start(-60_000, "a", "ready")
    .finish(-59_500, "a", "ready")
    .endLevel(-59_500, "one")
    .end(-59_500, "ready", -59_500);
  expect(expectSound(story).blame).toMatchObject([
    { step: "ready", ms: 500 },
    { step: "boot", ms: 0 },
  ]);
});

test("an `ms` that contradicts the wall clock was measured on a better one: it counts, forwards and back", () => {
  for (const jump of [86_400_000, -86_400_000]) {
    const story = new Story().begin(0, levels).level(0, "one").start(0, "a", "boot").start(0, "b", "boot");
    story
      .finish(2_000 + jump, "a", "boot", { ms: 2_000 })
      .state(2_000 + jump, "a", "ready")
      .finish(3_000 + jump, "b", "boot", { ms: 3_000 })
      .state(3_000 + jump, "b", "ready");
    story.endLevel(3_000 + jump, "one").end(3_010 + jump, "ready", 3_010);
    expect(expectSound(story)).toMatchObject({
      clockSet: true,
      wallMs: 3_010,
      blame: [
        { service: "b", ms: 3_000 },
        { service: "a", ms: 2_000 },
      ],
    });
  }
});

test("a negative `ms` beside a wall clock that went on says nothing", () => {
  const story = new Story()
    .begin(0, levels)
    .level(0, "one")
    .start(0, "a", "boot")
    .finish(5_000, "a", "boot", { ms: -3_000 })
    .endLevel(5_000, "one")
    .end(5_000);
  expect(expectSound(story)).toMatchObject({ clockSet: false, blame: [{ ms: 5_000 }] });
});

test("events that are written down a little after their time are no jump", () => {
  const story = new Story()
    .begin(0, levels)
    .level(0, "one")
    .start(900, "b", "boot")
    .finish(1_500, "b", "boot")
    .start(100, "a", "boot")
    .finish(1_400, "a", "boot")
    .endLevel(1_600, "one")
    .end(1_600);
  expect(expectSound(story)).toMatchObject({
    clockSet: false,
    blame: [
      { service: "a", startMs: 100, ms: 1_300 },
      { service: "b", startMs: 900, ms: 600 },
    ],
  });
});

test("a beginning that is told long after its time, as where thousands of services begin, is no jump either", () => {
  const story = new Story()
    .begin(0, levels)
    .level(0, "one")
    .start(0, "a", "boot")
    .finish(30_000, "a", "boot")
    .start(10, "b", "boot")
    .finish(31_000, "b", "boot")
    .endLevel(31_000, "one")
    .end(31_000);
  expect(expectSound(story)).toMatchObject({
    clockSet: false,
    blame: [
      { service: "b", startMs: 10, ms: 30_990 },
      { service: "a", ms: 30_000 },
    ],
  });
});
