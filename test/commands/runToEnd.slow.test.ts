/** `run`: boots, executes what the plan is there for, takes down by what is to be kept, and ends with the result. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { begun, letGo, levels, shownServices, waitFor } from "../support/liveRun.js";

const machines = (own: Installation): string[] => {
  const folder = join(own.home, "drivers", "local", "machines");
  return existsSync(folder) ? readdirSync(folder) : [];
};

const tests = (own: Installation, code: number, head = "") =>
  own.plan(
    levels(
      "tests",
      [
        `
  app: { outputs: [port], boot: { command: "bl set port 80; sleep 0.3" }, ready: { command: "echo app-ready >> '${own.facts}/ran'" } }
  suite: { inputs: { port: app.port }, outputs: [verdict], execute: { command: "echo suite \${self.port} >> '${own.facts}/ran'; bl set verdict done; exit ${code}" } }
`,
        `after: { boot: { command: "echo after \${suite.verdict} >> '${own.facts}/ran'" } }`,
      ],
      head,
    ),
  );

test("execute programs run once everything in their level is ready; what they set is there for later levels; nothing is left", async () => {
  const own = installation();
  const ended = await own.call(["run", tests(own, 0), "--name", "tests"]);
  expect(ended).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("No machine is left: 3 machines ended.") as unknown as string,
  });
  expect(own.fact("ran")).toBe("app-ready\nsuite 80\nafter done\n");
  expect(machines(own)).toEqual([]);
  expect((await own.json(["show", "tests"])).document.state).toBe("terminated");
}, 40_000);

test.each([
  ["never", 0, 0],
  ["never", 1, 0],
  ["always", 0, 3],
  ["on-error", 0, 0],
  ["on-error", 1, 2],
  ["on-success", 0, 3],
  ["on-success", 1, 0],
])(
  "keep: %s after exit code %i leaves %i machines",
  async (keep, code, left) => {
    const own = installation();
    const { code: ended, document } = await own.json([
      "run",
      tests(own, code, `keep: ${keep}\nprelaunch: none\n`),
      "--name",
      "kept",
    ]);
    expect(ended).toBe(code === 0 ? 0 : 1);
    expect(document).toMatchObject({ command: "run", success: code === 0, keep });
    expect(machines(own)).toHaveLength(left);
    if (left > 0) expect(await own.call(["terminate", "kept", "--yes"])).toMatchObject({ code: 0 });
  },
  40_000,
);

test("a failed execute program is the run's failure, with its last lines; the call's --keep goes before the plan's", async () => {
  const own = installation();
  const folder = own.plan(
    levels("red", ['suite: { execute: { command: "echo 3 of 7 tests failed; exit 4" } }'], "keep: never\n"),
  );
  const ended = await own.call(["run", folder, "--name", "red", "--keep", "on-error"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain("3 of 7 tests failed");
  expect(ended.stdout).toContain("the execute program failed: exit code 4");
  expect(ended.stdout).toContain("Its machines were kept (keep: on-error)");
  expect(await shownServices(own, "red")).toMatchObject({
    suite: { state: "failed", failure: { step: "execute", exitCode: 4 } },
  });
  const nagios = await own.call(["run", folder, "--nagios", "--verbose"]);
  expect(nagios).toMatchObject({
    code: 2,
    stderr: "",
    stdout: expect.stringMatching(
      /^BOOTLEVEL CRITICAL - red-\w+ failed: suite: the execute program failed: exit code 4 \| time=/,
    ) as unknown as string,
  });
}, 40_000);

test.each([
  ["boot", "boot"],
  ["execute", "execute"],
])(
  "a %s phase that takes longer than its deadline aborts the run, and it is taken down",
  async (phase, step) => {
    const own = installation();
    const folder = own.plan(
      levels("slow", [`a: { ${step}: { command: "sleep 60" } }`], `deadlines: { ${phase}: 1s }\n`),
    );
    const ended = await own.call(["run", folder, "--name", "slow"]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain(
      `The run was aborted by deadline: ${phase === "boot" ? "booting" : "executing"} took longer than its deadline of 1 s`,
    );
    expect(machines(own)).toEqual([]);
  },
  40_000,
);

test("reporting has a deadline: its program is ended, the logs come home all the same, and a warning says why", async () => {
  const own = installation();
  const folder = own.plan(
    levels(
      "slow",
      [
        'a: { boot: { command: "echo here" }, report: { command: "trap \'\' TERM; echo half > \\"$BOOTLEVEL_REPORT_DIR/half\\"; sleep 60" } }',
      ],
      "deadlines: { report: 1s }\n",
    ),
  );
  const { code, document } = await own.json(["run", folder, "--name", "slow"]);
  expect(code).toBe(0);
  expect(document.reports).toMatchObject([
    {
      service: "a",
      archive: expect.any(String) as unknown,
      complete: false,
      warnings: [expect.stringContaining("was ended, since reporting took longer than its deadline of 1 s") as unknown],
    },
  ]);
  expect(machines(own)).toEqual([]);
}, 40_000);

test("taking down has a deadline: its program is ended, its machine stays, and the run says why", async () => {
  const own = installation();
  const folder = own.plan(
    levels(
      "slow",
      ['a: { boot: { command: "true" }, terminate: { command: "sleep 60" } }'],
      "deadlines: { terminate: 1s }\n",
    ),
  );
  const ended = await own.call(["run", folder, "--name", "slow"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain(
    "the terminate program failed: was ended, since taking down took longer than its deadline of 1 s; its machine was kept",
  );
  expect(machines(own)).toHaveLength(1);
  expect(await own.call(["terminate", "slow", "--force"])).toMatchObject({ code: 0 });
}, 40_000);

test("what the call says of machines is the run's: whoever goes on with it keeps them", async () => {
  const own = installation();
  const folder = own.plan(levels("kept", [`suite: { execute: { command: "${waitFor(own, "suite")}" } }`]));
  const first = own.start(["run", folder, "--name", "kept", "--keep", "always"]);
  await begun(own, "suite");
  first.child.kill("SIGKILL");
  await first.ended;
  letGo(own, "suite");
  const resumed = await own.call(["run", "--resume", "kept"]);
  expect(resumed).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Its machines were kept (keep: always)") as unknown as string,
  });
  expect(await own.call(["terminate", "kept"])).toMatchObject({ code: 0 });
}, 40_000);

test("a run whose launcher was killed while it executed goes on: the program is not started again", async () => {
  const own = installation();
  const folder = own.plan(
    levels("resumed", [`suite: { execute: { command: "echo x >> '${own.facts}/count'; ${waitFor(own, "suite")}" } }`]),
  );
  const first = own.start(["run", folder, "--name", "resumed"]);
  await begun(own, "suite");
  first.child.kill("SIGKILL");
  await first.ended;
  letGo(own, "suite");
  expect(await own.call(["run", "--resume", "resumed"])).toMatchObject({ code: 0 });
  expect(own.fact("count")).toBe("x\n");
  expect(machines(own)).toEqual([]);
}, 40_000);

test("an operator who interrupts gets the machines taken down all the same", async () => {
  const own = installation();
  const folder = own.plan(
    levels("stopped", [`a: { boot: { command: "${waitFor(own, "a")}" } }`, "b: {}"], "prelaunch: none\n"),
  );
  const run = own.start(["run", folder, "--name", "stopped"]);
  await begun(own, "a");
  run.child.kill("SIGINT");
  letGo(own, "a");
  expect((await run.ended).code).toBe(130);
  expect(machines(own)).toEqual([]);
}, 40_000);

test("a boot executes too, and a repair does not execute again what was done", async () => {
  const own = installation();
  const folder = own.plan(
    levels("once", [`suite: { boot: { command: "true" }, execute: { command: "echo x >> '${own.facts}/count'" } }`]),
  );
  expect(await own.call(["boot", folder, "--name", "once"])).toMatchObject({ code: 0 });
  expect(await own.call(["repair", "once"])).toMatchObject({ code: 0 });
  expect(await own.call(["rerun", "once", "suite:ready"])).toMatchObject({ code: 0 });
  expect(own.fact("count")).toBe("x\n");
  expect(await own.call(["rerun", "once", "suite"])).toMatchObject({ code: 0 });
  expect(own.fact("count")).toBe("x\nx\n");
}, 40_000);
