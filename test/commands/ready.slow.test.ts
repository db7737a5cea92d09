/** The ready program: tried again, for how long, and what a failure tells. */
import { test, expect } from "@jest/globals";

import { installation } from "../support/installation.js";
import { eventually, isAlive } from "../support/eventually.js";

const one = (ready: string, more = "") =>
  `plan: ready\nlevels:\n  - name: one\n    services:\n      a: { ready: { ${ready} }${more} }\n`;
const counting = (facts: string, end: string) => `command: "echo $(date +%s%N) >> '${facts}/tries'; ${end}"`;
const tries = (text: string | null) =>
  (text ?? "")
    .trim()
    .split("\n")
    .map((line) => Number(BigInt(line) / 1_000_000n));

test("a ready program that fails is tried again after `every` until it passes", async () => {
  const own = installation();
  const ended = await own.call([
    "boot",
    own.plan(one(`${counting(own.facts, `test $(wc -l < '${own.facts}/tries') -ge 4`)}, every: 300ms`)),
  ]);
  expect(ended).toMatchObject({ code: 0 });
  const at = tries(own.fact("tries"));
  expect(at).toHaveLength(4);
  for (let index = 1; index < at.length; index += 1)
    expect((at[index] as number) - (at[index - 1] as number)).toBeGreaterThanOrEqual(300);
});

test("`retries` is how often it is tried again; the failure says how many tries there were, and what the last one printed", async () => {
  const own = installation();
  const { code, document } = await own.json([
    "boot",
    own.plan(
      one(`${counting(own.facts, `echo try $(wc -l < '${own.facts}/tries'); exit 9`)}, every: 50ms, retries: 2`),
    ),
    "--name",
    "ready",
  ]);
  expect(code).toBe(1);
  expect(tries(own.fact("tries"))).toHaveLength(3);
  expect(document.failures).toMatchObject([{ step: "ready", exitCode: 9, lastLines: ["try 3"] }]);
  expect(document.failures[0].message).toContain("3 tries");
  expect((await own.call(["logs", "ready", "a"])).stdout).toMatch(/try 1[\s\S]*try 2[\s\S]*try 3/);
});

test("`timeout` bounds all tries together, also one that hangs", async () => {
  const own = installation();
  const { code, document } = await own.json([
    "boot",
    own.plan(one(`command: "echo hanging; echo $$ > '${own.facts}/pid'; exec sleep 1000", every: 100ms, timeout: 2s`)),
  ]);
  expect(code).toBe(1);
  expect(document.failures[0].message).toMatch(/time/);
  expect(document.failures[0].lastLines[0]).toBe("hanging");
  expect(Number(own.fact("pid"))).toBeGreaterThan(1);
  await eventually("the program that hangs is gone", () => !isAlive(Number(own.fact("pid"))));
});

test("without retries it is tried until its timeout has passed", async () => {
  const own = installation();
  const { code, document } = await own.json([
    "boot",
    own.plan(one(`${counting(own.facts, "exit 1")}, every: 100ms, timeout: 3s`)),
  ]);
  expect(code).toBe(1);
  const at = tries(own.fact("tries"));
  expect(at.length).toBeGreaterThanOrEqual(2);
  // The last try may be ended by the timeout before it has written its time.
  const told = Number(/\((\d+) tries/.exec(document.failures[0].message)?.[1]);
  expect([at.length, at.length + 1]).toContain(told);
});

test.each([
  ["ready", "retries: 0"],
  ["boot", ""],
])(
  "a %s program that exceeds its time is ended with its whole process group, also one that will not hear TERM",
  async (step, more) => {
    const own = installation();
    const script = `#!/bin/sh\ntrap '' TERM\nsh -c 'trap "" TERM; echo $$ > "${own.facts}/child"; sleep 61' &\necho $$ > '${own.facts}/parent'\nsleep 62 & echo $! > '${own.facts}/sleeper'\nwait\n`;
    const folder = own.plan(
      `plan: hang\nlevels:\n  - name: one\n    services:\n      a: { ${step}: { program: hang.sh, timeout: 3s${more === "" ? "" : `, ${more}`} } }\n`,
      { "hang.sh": script },
    );
    const { code, document } = await own.json(["boot", folder]);
    expect(code).toBe(1);
    expect(document.failures[0].message).toMatch(/\b3 s\b/);
    const pids = ["child", "parent", "sleeper"].map((name) => Number(own.fact(name)));
    expect(pids.every((pid) => pid > 1)).toBe(true);
    await eventually("every process of the group is gone", () => pids.every((pid) => !isAlive(pid)));
  },
);

test("the service's own timeout holds for its boot program", async () => {
  const own = installation();
  const { code, document } = await own.json([
    "boot",
    own.plan(
      "plan: slow\nlevels:\n  - name: one\n    services:\n      a: { timeout: 700ms, boot: { command: 'sleep 61' } }\n",
    ),
  ]);
  expect(code).toBe(1);
  expect(document.failures[0]).toMatchObject({ step: "boot", exitCode: null });
  expect(document.failures[0].message).toMatch(/0\.7 s/);
});
