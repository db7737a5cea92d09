/** What the exit code says of a boot: fine, not fine, busy. */
import { test, expect } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation } from "../support/installation.js";

test("a boot whose services all become ready ends with 0 and says how to look at the run", async () => {
  const own = installation();
  const plan = own.plan(
    "plan: fine\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: 'true' }, ready: { command: 'true' } }\n",
  );
  const ended = await own.call(["boot", plan, "--name", "fine-1"]);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: "" });
  expect(ended.stdout).toContain("bootlevel status fine-1");
  expect(await own.call(["status", "fine-1"])).toMatchObject({ code: 0 });
});

const halfBroken = (facts: string, broken: string) => `
plan: half
levels:
  - name: first
    services:
      bad: { ${broken} }
      good: { boot: { command: "sleep 0.5; echo yes > '${facts}/good'" }, ready: { command: "test -f '${facts}/good'" } }
  - name: second
    services:
      later: { boot: { command: "echo yes > '${facts}/later'" } }
`;

test.each([
  ["boot", "boot: { command: 'echo this went wrong; exit 7' }"],
  ["ready", "ready: { command: 'echo this went wrong; exit 7', retries: 0 }"],
])(
  "a failing %s program gives 1: its level settles, later levels launch nothing and run nothing",
  async (step, broken) => {
    const own = installation();
    const ended = await own.call(["boot", own.plan(halfBroken(own.facts, broken)), "--name", "half"]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain("this went wrong");
    expect(ended.stdout).toContain("exit code 7");
    expect(own.factNames()).toEqual(["good"]);
    const { document } = await own.json(["show", "half"]);
    const states = document.levels.map(
      (level: { services: { name: string; state: string; machine: string | null }[] }) =>
        level.services.map(({ name, state, machine }) => [name, state, machine !== null]),
    );
    expect(states).toEqual([
      [
        ["bad", "failed", true],
        ["good", "ready", true],
      ],
      [["later", "planned", false]],
    ]);
    expect(document).toMatchObject({ state: "failed" });
    expect(document.levels[0].services[0].failure).toMatchObject({ step, exitCode: 7, lastLines: ["this went wrong"] });
    expect((await own.call(["status", "half"])).code).toBe(1);
  },
);

test("every failure of a level is reported, not only the first", async () => {
  const own = installation();
  const plan = own.plan(
    "plan: many\nlevels:\n  - name: one\n    services:\n      web: { replicas: 3, boot: { command: 'echo I am $BOOTLEVEL_SERVICE; exit $((BOOTLEVEL_REPLICA + 3))' } }\n",
  );
  const { code, document } = await own.json(["boot", plan]);
  expect(code).toBe(1);
  // The order is that of time: all of them fail by themselves, at the same moment.
  expect(
    document.failures
      .map(({ service, exitCode, lastLines }: { service: string; exitCode: number; lastLines: string[] }) => [
        service,
        exitCode,
        lastLines,
      ])
      .sort(),
  ).toEqual([
    ["web-1", 4, ["I am web-1"]],
    ["web-2", 5, ["I am web-2"]],
    ["web-3", 6, ["I am web-3"]],
  ]);
});

test("a run that another launcher works on is busy: 3, and who works on it", async () => {
  const own = installation();
  const plan = own.plan(
    `plan: busy\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: "touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done" } }\n`,
  );
  const boot = own.start(["boot", plan, "--name", "busy"]);
  await eventually("the boot program runs", () => own.fact("begun") !== null);
  const second = await own.call(["terminate", "busy", "--yes"]);
  expect(second.code).toBe(3);
  expect(second.stderr).toContain(`process ${boot.pid}`);
  const asJson = await own.json(["terminate", "busy"]);
  expect(asJson).toMatchObject({ code: 3, document: { error: { exitCode: 3 } } });
  const list = await own.json(["list"]);
  expect(list.document.runs).toMatchObject([
    { name: "busy", state: "booting", holder: { pid: boot.pid, alive: true } },
  ]);
  own.plan("plan: go\nlevels: []\n", { go: "" }, "facts");
  expect((await boot.ended).code).toBe(0);
  expect((await own.call(["terminate", "busy", "--yes"])).code).toBe(0);
});
