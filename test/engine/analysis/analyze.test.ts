/** What a run cost in time, from made-up event logs. */
import { expect, test } from "@jest/globals";

import { analyze, BEGIN, numbersIn, sectionOf, Story, twoLevels } from "./story.js";

/** The chain in short: who, what, how long. */
function chainOf(story: Story, options: Parameters<typeof sectionOf>[1] = {}) {
  return sectionOf(story, options).chain.map(({ service, kind, attempt, ms }) => [
    service ?? "-",
    attempt !== null && attempt > 1 ? `${kind} ${attempt}` : kind,
    ms,
  ]);
}

test("the critical path follows in each level the service that finished last, and leaves no gap", () => {
  expect(chainOf(twoLevels())).toEqual([
    ["-", "bootlevel", 2],
    ["db", "bootlevel", 3],
    ["db", "launch", 100],
    ["db", "bootlevel", 5],
    ["db", "boot", 800],
    ["db", "bootlevel", 2],
    ["db", "ready", 38],
    ["db", "bootlevel", 10],
    ["-", "bootlevel", 5],
    ["web-2", "bootlevel", 6],
    ["web-2", "boot", 2_000],
    ["web-2", "bootlevel", 9],
    ["-", "bootlevel", 10],
  ]);
  const { chain, chainMs, wallMs } = sectionOf(twoLevels());
  expect([chainMs, wallMs]).toEqual([2_990, 2_990]);
  expect(chain.reduce((sum, part) => sum + part.share, 0)).toBeCloseTo(1, 10);
  chain.reduce((until, part) => {
    expect(part.startMs).toBe(until);
    return until + part.ms;
  }, 0);
});

test("the wall time is the launcher's own measurement, not the chain's sum once more", () => {
  const story = twoLevels();
  story.records.pop();
  expect(sectionOf(story.end(2_990, "ready", 2_987))).toMatchObject({ wallMs: 2_987, chainMs: 2_990 });
});

test("the longest steps come first, as many as asked for", () => {
  const { blame } = sectionOf(twoLevels(), { top: 3 });
  expect(blame).toMatchObject([
    {
      service: "web-2",
      level: "web",
      step: "boot",
      attempt: 1,
      ms: 2_000,
      outcome: "exited",
      exitCode: 0,
      failed: false,
    },
    { service: "db", level: "storage", step: "boot", ms: 800 },
    { service: "web-1", level: "web", step: "boot", ms: 500 },
  ]);
  expect(sectionOf(twoLevels()).blame).toHaveLength(5);
});

test("the time between two tries of a ready program is named", () => {
  const story = new Story()
    .begin(0, { one: ["a"] })
    .level(0, "one")
    .state(0, "a", "verifying");
  story
    .start(0, "a", "ready", 1)
    .finish(10, "a", "ready", { attempt: 1, exitCode: 1 })
    .start(510, "a", "ready", 2)
    .finish(530, "a", "ready", { attempt: 2, exitCode: 1 });
  story
    .start(1_030, "a", "ready", 3)
    .finish(1_060, "a", "ready", { attempt: 3 })
    .state(1_060, "a", "ready")
    .endLevel(1_060, "one")
    .end(1_060);
  expect(chainOf(story)).toEqual([
    ["a", "ready", 10],
    ["a", "pause", 500],
    ["a", "ready 2", 20],
    ["a", "pause", 500],
    ["a", "ready 3", 30],
  ]);
  expect(sectionOf(story).blame.map(({ attempt, failed }) => [attempt, failed])).toEqual([
    [3, false],
    [2, true],
    [1, true],
  ]);
});

test("what a program waited for a place is told apart from its own time, in the order in which places are given", () => {
  const story = new Story().begin(0, { one: ["a", "b", "c"] }).level(0, "one");
  for (const name of ["a", "b", "c"])
    story.start(0, name, "launch").finish(10, name, "launch", { outcome: "launched", exitCode: null });
  for (const name of ["a", "b", "c"]) story.start(10, name, "boot");
  story
    .finish(110, "a", "boot")
    .state(110, "a", "ready")
    .finish(210, "b", "boot")
    .state(210, "b", "ready")
    .finish(260, "c", "boot")
    .state(260, "c", "ready")
    .endLevel(260, "one")
    .end(260);
  expect(chainOf(story, { concurrency: 1 })).toEqual([
    ["c", "launch", 10],
    ["c", "place", 200],
    ["c", "boot", 50],
  ]);
  expect(
    sectionOf(story, { concurrency: 1 })
      .blame.slice(0, 3)
      .map(({ service, ms, waitedMs }) => [service, ms, waitedMs]),
  ).toEqual([
    ["c", 250, 200],
    ["b", 200, 100],
    ["a", 100, 0],
  ]);
  expect(sectionOf(story, { concurrency: 2 }).blame.map(({ waitedMs }) => waitedMs)).toEqual([100, 0, 0, 0, 0, 0]);
  expect(chainOf(story, { concurrency: 64 })).toEqual([
    ["c", "launch", 10],
    ["c", "boot", 250],
  ]);
});

test("where the log contradicts the plan's concurrency, no waiting is made up", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b"] })
    .level(0, "one")
    .start(0, "a", "boot")
    .start(0, "b", "boot");
  story.finish(50, "b", "boot").finish(100, "a", "boot").endLevel(100, "one").end(100);
  expect(sectionOf(story, { concurrency: 1 }).blame.map(({ waitedMs }) => waitedMs)).toEqual([0, 0]);
});

test("a failed service is one, with its reason; its level ends with the service that finished last all the same", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b"] })
    .level(0, "one")
    .start(0, "a", "boot")
    .start(0, "b", "boot");
  story.finish(40, "a", "boot", { outcome: "failed", exitCode: 3 }).state(41, "a", "failed");
  story.add(41, {
    type: "service-failed",
    failure: {
      service: "a",
      level: "one",
      step: "boot",
      message: "exit code 3",
      exitCode: 3,
      machine: null,
      lastLines: [],
      log: null,
      remedy: "",
      cause: null,
    },
  });
  story.finish(90, "b", "boot").state(91, "b", "ready").endLevel(92, "one", 1).end(93, "failed");
  const { levels, result } = sectionOf(story);
  expect(result).toBe("failed");
  expect(levels).toMatchObject([
    {
      last: "b",
      services: [
        { name: "a", state: "failed", failure: "exit code 3", endMs: 41, steps: [{ failed: true }] },
        { name: "b", state: "ready", failure: null },
      ],
    },
  ]);
});

test("the newest section that is no termination is looked at; others are listed, and can be asked for", () => {
  const levels = { one: ["a"] };
  const story = new Story()
    .begin(0, levels)
    .level(0, "one")
    .start(0, "a", "boot")
    .finish(500, "a", "boot")
    .endLevel(500, "one")
    .end(500);
  story
    .begin(10_000, levels, "repair")
    .level(10_000, "one")
    .start(10_000, "a", "boot")
    .finish(10_300, "a", "boot")
    .endLevel(10_300, "one")
    .end(10_300);
  story
    .begin(20_000, levels, "terminate")
    .level(20_000, "one")
    .state(20_001, "a", "terminating")
    .start(20_002, "a", "terminate")
    .finish(20_100, "a", "terminate");
  story.state(20_400, "a", "terminated").endLevel(20_401, "one").end(20_402, "terminated");
  const { sections, section } = analyze(story);
  expect(sections).toEqual([
    { number: 1, verb: "boot", startedAt: BEGIN, ms: 500, result: "ready", running: false },
    { number: 2, verb: "repair", startedAt: BEGIN + 10_000, ms: 300, result: "ready", running: false },
    { number: 3, verb: "terminate", startedAt: BEGIN + 20_000, ms: 402, result: "terminated", running: false },
  ]);
  expect(section).toMatchObject({ number: 2, wallMs: 300, blame: [{ ms: 300 }] });
  expect(sectionOf(story, { section: 1 })).toMatchObject({ number: 1, wallMs: 500 });
  expect(chainOf(story, { section: 3 })).toEqual([
    ["a", "bootlevel", 2],
    ["a", "terminate", 98],
    ["a", "destroy", 301],
    ["-", "bootlevel", 1],
  ]);
  expect(() => analyze(story, { section: 4 })).toThrow('run "shop" has no section 4; it has 3');
  expect(() => analyze(story, { section: 0 })).toThrow("no section 0");
});

test("a section whose launcher was killed is looked at up to its last event; the next run-started ends it", () => {
  const levels = { one: ["a", "b"], two: ["c"] };
  const story = new Story()
    .begin(0, levels)
    .level(1, "one")
    .state(1, "a", "launching")
    .state(2, "b", "launching")
    .start(2, "a", "boot")
    .start(3, "b", "boot")
    .finish(800, "b", "boot")
    .state(801, "b", "ready");
  story.begin(60_000, levels, "terminate").end(60_010, "terminated");
  const { section, sections } = analyze(story);
  expect(sections[0]).toMatchObject({ number: 1, result: null, running: false, ms: 801 });
  expect(section).toMatchObject({
    number: 1,
    wallMs: 801,
    chainMs: 801,
    levels: [{ name: "one", endMs: 801, last: "a" }],
  });
  expect(section?.blame[0]).toMatchObject({ service: "a", ms: 799, outcome: null, exitCode: null, failed: false });
  expect(chainOf(story)).toEqual([
    ["-", "bootlevel", 1],
    ["a", "bootlevel", 1],
    ["a", "boot", 799],
  ]);
});

test("a service that has not ended is later than one that ended in the last moment", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b"] })
    .level(0, "one")
    .start(0, "a", "boot")
    .start(0, "b", "boot")
    .finish(700, "a", "boot")
    .state(700, "a", "ready");
  expect(sectionOf(story).levels[0]?.last).toBe("b");
});

test("services stand in the plan's order, whichever began first", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b", "c"] })
    .level(0, "one")
    .start(0, "c", "boot")
    .start(1, "a", "boot")
    .start(2, "b", "boot");
  expect(sectionOf(story).levels[0]?.services.map(({ name }) => name)).toEqual(["a", "b", "c"]);
});

test("killed between two tries: the wait up to the last event is one", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b"] })
    .level(0, "one")
    .state(0, "a", "verifying")
    .start(0, "a", "ready")
    .finish(10, "a", "ready", { exitCode: 1 })
    .start(20, "b", "boot")
    .finish(900, "b", "boot")
    .state(900, "b", "ready");
  expect(chainOf(story)).toEqual([
    ["a", "ready", 10],
    ["a", "pause", 890],
  ]);
});

test("the newest section runs while a launcher works, an older one never does", () => {
  const story = new Story()
    .begin(0, { one: ["a"] })
    .level(0, "one")
    .begin(5_000, { one: ["a"] }, "resume")
    .level(5_000, "one");
  expect(analyze(story, { working: true }).sections.map(({ running }) => running)).toEqual([false, true]);
  expect(analyze(twoLevels(), { working: true }).sections.map(({ running }) => running)).toEqual([false]);
});

test("a machine that is launched ahead of its level counts in the chain only from its level's beginning", () => {
  const story = new Story()
    .begin(0, { one: ["a"], two: ["b"] })
    .level(0, "one")
    .start(0, "a", "boot")
    .start(1, "b", "launch");
  story
    .finish(100, "a", "boot")
    .state(100, "a", "ready")
    .endLevel(100, "one")
    .level(100, "two")
    .finish(250, "b", "launch", { outcome: "launched", exitCode: null })
    .start(250, "b", "boot")
    .finish(300, "b", "boot")
    .state(300, "b", "ready")
    .endLevel(300, "two")
    .end(300);
  expect(chainOf(story)).toEqual([
    ["a", "boot", 100],
    ["b", "launch", 150],
    ["b", "boot", 50],
  ]);
  expect(sectionOf(story).blame[0]).toMatchObject({ service: "b", step: "launch", startMs: 1, ms: 249 });
  expect(sectionOf(story).levels[1]).toMatchObject({
    startMs: 100,
    endMs: 300,
    services: [{ startMs: 1, endMs: 300 }],
  });
});

test("work outside of levels, as on one service, is a level of its own; a level may be worked on twice", () => {
  const one = new Story()
    .begin(0, { web: ["a"] }, "rerun")
    .start(5, "a", "boot")
    .finish(105, "a", "boot")
    .state(106, "a", "ready")
    .end(110);
  expect(chainOf(one)).toEqual([
    ["-", "bootlevel", 5],
    ["a", "boot", 100],
    ["a", "bootlevel", 1],
    ["-", "bootlevel", 4],
  ]);
  const twice = new Story()
    .begin(0, { web: ["a"] }, "reboot")
    .level(0, "web")
    .start(0, "a", "terminate")
    .finish(50, "a", "terminate")
    .state(50, "a", "terminated")
    .endLevel(50, "web");
  twice
    .level(60, "web")
    .start(60, "a", "boot")
    .finish(160, "a", "boot")
    .state(160, "a", "ready")
    .endLevel(160, "web")
    .end(160);
  expect(chainOf(twice)).toEqual([
    ["a", "terminate", 50],
    ["-", "bootlevel", 10],
    ["a", "boot", 100],
  ]);
});

test("a run without a step, an empty plan, a log without a section: nothing breaks", () => {
  const stepless = new Story()
    .begin(0, { one: ["a"] })
    .level(0, "one")
    .state(1, "a", "ready")
    .endLevel(2, "one")
    .end(3);
  expect(sectionOf(stepless)).toMatchObject({ blame: [], chainMs: 3, wallMs: 3 });
  expect(sectionOf(new Story().begin(0, {}).end(0))).toMatchObject({
    blame: [],
    chain: [],
    levels: [],
    wallMs: 0,
    chainMs: 0,
  });
  expect(sectionOf(new Story().begin(0, { one: [] }).level(0, "one").endLevel(2, "one").end(4))).toMatchObject({
    levels: [{ last: null }],
    chainMs: 4,
  });
  expect(analyze(new Story())).toEqual({ run: "shop", sections: [], section: null });
  expect(analyze(new Story().add(0, { type: "warning", service: null, message: "x" }))).toEqual({
    run: "shop",
    sections: [],
    section: null,
  });
  expect(analyze(new Story().begin(0, {}, "terminate").end(5, "terminated"))).toMatchObject({
    sections: [{ verb: "terminate" }],
    section: null,
  });
});

test("ten thousand services with many tries are read in one go", () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `web-${index + 1}`);
  const story = new Story().begin(0, { web: names }).level(0, "web");
  const finish = (at: number, service: string, step: "boot" | "ready", attempt: number, ms: number) =>
    story.add(at, { type: "step-finished", service, step, attempt, ms, exitCode: 0, outcome: "exited" });
  for (const name of names) story.start(1, name, "boot");
  for (const [index, name] of names.entries()) finish(100 + index, name, "boot", 1, 99 + index);
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    for (const name of names)
      story.add(20_000 * attempt, { type: "step-started", service: name, step: "ready", attempt });
    for (const name of names) finish(20_000 * attempt + 50, name, "ready", attempt, 50);
  }
  story.endLevel(100_050, "web").end(100_050);
  const { levels, chainMs, wallMs, blame } = sectionOf(story, { concurrency: 1_000 });
  expect(levels[0]?.services).toHaveLength(10_000);
  expect(chainMs).toBe(wallMs);
  expect(blame[0]).toMatchObject({ service: "web-10000", ms: 10_098, waitedMs: 9_098 });
});

test("the numbers of every story are finite and never negative", () => {
  for (const number of numbersIn(sectionOf(twoLevels()))) expect(number).toBeGreaterThanOrEqual(0);
});
