/** What a plan may say of a simulated cloud, and what it is told when it says something else. */
import { expect, test } from "@jest/globals";

import { loadDriver } from "../../src/drivers/registry.js";
import { load, mistakesOf } from "./planFolder.js";

const options = { driverDefinition: loadDriver };
const plan = (cloud: string, launch = "{}") =>
  `plan: a\nclouds:\n  sky: { driver: sim, ${cloud} }\nlevels: [{ services: { web: { launch: ${launch} } } }]`;

test("everything that is documented is accepted, references too", async () => {
  const loaded = await load(
    `
plan: a
variables: { p: "0.1" }
clouds:
  sky:
    driver: sim
    seed: 7
    file: sky.db
    launch: { latency: { p50: 40s, p95: 90s }, refuse: 0.01, capacity: 20 }
    machines: { die: { probability: "\${var.p}", within: 1h } }
    calls: { latency: { mean: 200ms }, throttle: 0.05, lost_reply: 0.01, limit: 5 }
    visibility: 10s
    programs:
      boot: { duration: { min: 10s, max: 20s }, fail: 0.02, exit: 3, hang: 0.001, output: done }
      ready: { duration: 1s }
      terminate: {}
    services:
      db: { latency: 2m, refuse: 0, die: { probability: 0, within: 1s }, programs: { boot: { duration: 3m } }, outputs: { port: 5432, tls: true, name: x } }
    script:
      - { call: launch, service: web-2, nth: 1, fault: refuse }
      - { call: launch, fault: invisible, for: 30s }
      - { call: terminate, nth: every, fault: lost-reply }
      - { service: db, program: boot, nth: 1, exit: 3 }
      - { program: ready, hang: true }
      - { service: web-1, at: 40s, fault: die }
      - { at: 40s, fault: unreachable, for: 30s }
levels: [{ services: { web: { launch: { latency: 3s, outputs: { a: b } } } } }]`,
    {},
    options,
  );
  expect(loaded.clouds["sky"]).toMatchObject({ driver: "sim", options: { seed: 7 } });
});

test.each([
  ["lanch: {}", '3: unknown key "lanch" in cloud "sky" -> launch'],
  [
    "launch: { latency: 40 }",
    '3: "latency" of "launch" of cloud "sky" must be a duration such as 40s, or a distribution such as { p50: 40s, p95: 90s }',
  ],
  [
    "launch: { latency: soon }",
    '3: "soon" is not a duration: write numbers with units (ms, s, m, h, d), such as 90s, 2m or 500ms',
  ],
  [
    "launch: { latency: { p50: 40s } }",
    '3: "latency" of "launch" of cloud "sky" must be a duration, { p50, p95 }, { p50, p95, max }, { min, max } or { mean }',
  ],
  [
    "launch: { latency: { p50: 40s, max: 1m } }",
    '3: "latency" of "launch" of cloud "sky" must be a duration, { p50, p95 }, { p50, p95, max }, { min, max } or { mean }',
  ],
  ["launch: { refuse: 2 }", '3: "refuse" of "launch" of cloud "sky" must be at most 1, not 2'],
  ["machines: { die: { probability: 1 } }", '3: "die" of "machines" of cloud "sky" needs the key "within"'],
  ["visibility: 30", "3: 30 has no unit: write for example 30s"],
  ["calls: { lost-reply: 0.1 }", '3: unknown key "lost-reply" in "calls" of cloud "sky" -> lost_reply'],
  ["programs: { bot: {} }", '3: unknown key "bot" in "programs" of cloud "sky" -> boot'],
  [
    "script: [{ fault: die }]",
    '3: item 1 of "script" of cloud "sky" must say which call, which program, or at which moment',
  ],
  [
    "script: [{ call: launch, fault: explode }]",
    '3: "fault" of item 1 of "script" of cloud "sky" must be throttle, lost-reply, unreachable, refuse, die or invisible, not "explode"',
  ],
  [
    "script: [{ call: list, fault: refuse }]",
    '3: "fault" of item 1 of "script" of cloud "sky" must be throttle, lost-reply or unreachable, not "refuse"',
  ],
  ["script: [{ call: launch, fault: invisible }]", '3: item 1 of "script" of cloud "sky" needs the key "for"'],
  ["script: [{ at: 3s, fault: unreachable }]", '3: item 1 of "script" of cloud "sky" needs the key "for"'],
  [
    "script: [{ at: 3s, fault: die, exit: 3 }]",
    '3: unknown key "exit" in item 1 of "script" of cloud "sky": valid keys are at, service, nth, fault and for',
  ],
  [
    "script: [{ program: boot, nth: often }]",
    '3: "nth" of item 1 of "script" of cloud "sky" must be a number from 1, or "every"',
  ],
])("a cloud with %s", async (keys, mistake) => {
  expect(await mistakesOf(plan(keys), {}, options)).toEqual([mistake]);
});

test("a service's launch: is checked as well, and a misspelt driver finds the right one", async () => {
  expect(await mistakesOf(plan("seed: 1", "{ latncy: 3s, programs: { boot: { fail: -1 } } }"), {}, options)).toEqual([
    '4: unknown key "latncy" in "launch" of service "web" -> latency',
    '4: "fail" of "boot" of "programs" of "launch" of service "web" must be at least 0, not -1',
  ]);
  expect((await mistakesOf("plan: a\nclouds: { sky: { driver: simm } }\nlevels: []", {}, options))[0]).toMatch(
    /-> sim$/,
  );
});
