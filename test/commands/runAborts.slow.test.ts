/** `run` is told to stop, or fails: nothing of it goes on, and what is left of it is said. */
import { expect, test } from "@jest/globals";

import { eventually, isAlive } from "../support/eventually.js";
import { installation, type Installation, type Started } from "../support/installation.js";
import { begun, levels, localMachines, tell, told } from "../support/liveRun.js";

/** An execute program that would run for minutes, and a service with a report and a terminate program. */
const long = (own: Installation, head = "") =>
  own.plan(
    levels(
      "long",
      [
        `
  app: { boot: { command: "echo some > result.txt" }, report: { command: "${tell(own, "report")}", patterns: [result.txt] }, terminate: { command: "${tell(own, "terminate")}" } }
  suite: { execute: { command: "echo $$ > '${own.facts}/pid'; touch '${own.facts}/begun-suite'; exec sleep 300" } }
`,
      ],
      head,
    ),
  );

const shownBy = (run: Started): (() => string) => {
  let shown = "";
  for (const stream of [run.child.stdout, run.child.stderr])
    stream?.on("data", (text: string) => {
      shown += text;
    });
  return () => shown;
};

const stateOf = async (own: Installation) => (await own.json(["list", "--all"])).document.runs[0].state as string;

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s once: execute programs are ended at once, reports and machines come home, and the result says so",
  async (signal) => {
    const own = installation();
    const run = own.start(["run", long(own), "--name", "long"]);
    await begun(own, "suite");
    run.child.kill(signal);
    const ended = await run.ended;
    expect(ended).toMatchObject({ code: 130, signal: null, stderr: "" });
    for (const words of [
      "stopping: the run is aborted and its programs are ended.",
      "the run was aborted by interrupt: the operator stopped bootlevel run",
      "No machine is left: 2 machines ended.",
    ])
      expect(ended.stdout).toContain(words);
    expect(isAlive(Number(own.fact("pid")))).toBe(false);
    expect(told(own)).toEqual(["report", "terminate"]);
    expect(localMachines(own)).toEqual([]);
    expect(await stateOf(own)).toBe("terminated");
  },
  60_000,
);

test("with keep: always, the programs are ended, the machines stay, and an operator can go on with them", async () => {
  const own = installation();
  const run = own.start(["run", long(own, "keep: always\n"), "--name", "long", "--json"]);
  await begun(own, "suite");
  run.child.kill("SIGTERM");
  const ended = await run.ended;
  expect(ended.code).toBe(130);
  expect(JSON.parse(ended.stdout)).toMatchObject({
    success: false,
    terminated: null,
    boot: { state: "failed", aborted: { origin: "interrupt" } },
  });
  expect(isAlive(Number(own.fact("pid")))).toBe(false);
  expect(localMachines(own)).toHaveLength(2);
  const shown = (await own.json(["show", "long"])).document;
  expect(shown).toMatchObject({ state: "failed", abort: null });
  expect((await own.call(["ssh", "long", "app", "--", "cat", "result.txt"])).stdout).toBe("some\n");
}, 60_000);

test("a second signal leaves everything as it is, and says what is left and how to end it", async () => {
  const own = installation();
  const folder = own.plan(
    levels("twice", [
      `a: { boot: { command: "trap '' TERM; touch '${own.facts}/begun-a'; while :; do sleep 0.1; done" } }`,
    ]),
  );
  const run = own.start(["run", folder, "--name", "twice"]);
  const shown = shownBy(run);
  await begun(own, "a");
  run.child.kill("SIGTERM");
  await eventually("it says that it stops", () => shown().includes("stopping"));
  run.child.kill("SIGTERM");
  const ended = await run.ended;
  expect(ended.code).toBe(130);
  expect(ended.stderr).toBe(
    "bootlevel: run twice is left as it is. At least 1 machine and the programs there may still run. " +
      "What is left: bootlevel show twice   Terminate it: bootlevel terminate twice\n",
  );
  expect(localMachines(own)).toHaveLength(1);
  // What the first signal began, somebody else finishes.
  const resumed = await own.json(["run", "--resume", "twice"]);
  expect(resumed).toMatchObject({
    code: 1,
    document: { success: false, boot: { aborted: { origin: "interrupt" } }, terminated: { state: "terminated" } },
  });
  expect(localMachines(own)).toEqual([]);
}, 60_000);

test("a failed execute program ends the others, with the reason", async () => {
  const own = installation();
  const folder = own.plan(
    levels("meet", [
      `
  bad: { execute: { command: "until test -f '${own.facts}/begun-good'; do sleep 0.05; done; exit 7" } }
  good: { execute: { command: "touch '${own.facts}/begun-good'; bl barrier together --count 2 2>'${own.facts}/why'; echo $? > '${own.facts}/code'; exec sleep 300" } }
`,
    ]),
  );
  const { code, document } = await own.json(["run", folder, "--name", "meet"]);
  expect(code).toBe(1);
  const reason = "bad failed in execute: the execute program failed: exit code 7";
  expect(document).toMatchObject({
    success: false,
    boot: {
      state: "failed",
      aborted: { origin: "on_failure", reason },
      failures: [
        { service: "bad", step: "execute", exitCode: 7 },
        {
          service: "good",
          message: expect.stringContaining(`was ended, since the run was aborted by on_failure: ${reason}`),
        },
      ],
    },
    terminated: { state: "terminated" },
  });
  expect(localMachines(own)).toEqual([]);
}, 60_000);

test.each([
  ["the plan", "on_failure: settle\n", []],
  ["the call", "on_failure: abort\n", ["--on-failure", "settle"]],
])(
  "with settle in %s, what runs beside a failure ends by itself",
  async (_where, head, words) => {
    const own = installation();
    const folder = own.plan(
      levels(
        "beside",
        [
          `
  bad: { execute: { command: "touch '${own.facts}/begun-bad'; exit 7" } }
  good: { execute: { command: "until test -f '${own.facts}/begun-bad'; do sleep 0.05; done; sleep 1; ${tell(own, "good")}" } }
`,
        ],
        head,
      ),
    );
    const { code, document } = await own.json(["run", folder, "--name", "beside", ...words]);
    expect(code).toBe(1);
    expect(document.boot).toMatchObject({ aborted: null, failures: [{ service: "bad" }] });
    expect(told(own)).toEqual(["good"]);
  },
  60_000,
);

test("a failed boot program ends the boot programs beside it, and boot lets them settle", async () => {
  const own = installation();
  const folder = own.plan(
    levels("boots", [
      `
  bad: { boot: { command: "until test -f '${own.facts}/begun-good'; do sleep 0.05; done; exit 7" } }
  good: { boot: { command: "touch '${own.facts}/begun-good'; sleep 1.5; ${tell(own, "good")}" } }
`,
    ]),
  );
  const run = await own.json(["run", folder, "--name", "ends"]);
  expect(run.document.boot).toMatchObject({
    aborted: { origin: "on_failure", reason: "bad failed in boot: the boot program failed: exit code 7" },
  });
  expect(told(own)).toEqual([]);
  expect((await own.call(["boot", folder, "--name", "settles"])).code).toBe(1);
  expect(told(own)).toEqual(["good"]);
}, 60_000);

test("a run that was killed while it was taken down is finished by --resume, with the run's result", async () => {
  const own = installation();
  const folder = own.plan(
    levels("late", [
      `
  app: { terminate: { command: "touch '${own.facts}/begun-app'; until test -f '${own.facts}/go'; do sleep 0.05; done" } }
  suite: { execute: { command: "${tell(own, "suite")}; exit 3" } }
`,
    ]),
  );
  const run = own.start(["run", folder, "--name", "late"]);
  await begun(own, "app");
  const busy = await own.call(["run", "--resume", "late"]);
  expect(busy).toMatchObject({ code: 3 });
  run.child.kill("SIGKILL");
  await run.ended;
  own.plan("", { go: "" }, "facts");
  const { code, document } = await own.json(["run", "--resume", "late"]);
  expect(code).toBe(1);
  expect(document).toMatchObject({
    run: "late",
    success: false,
    boot: { state: "failed", failures: [{ service: "suite", step: "execute", exitCode: 3 }] },
    terminated: { state: "terminated" },
  });
  expect(told(own)).toEqual(["suite"]);
  expect(localMachines(own)).toEqual([]);
  // It can be asked for again, and nothing happens.
  expect(await own.json(["run", "--resume", "late"])).toMatchObject({
    code: 1,
    document: { success: false, boot: { failures: [{ service: "suite" }] } },
  });
}, 60_000);

test("a run that an operator stopped taking down, or that boot started, is not finished by --resume", async () => {
  const own = installation();
  expect((await own.call(["boot", own.plan(levels("b", ["a: {}"])), "--name", "b"])).code).toBe(0);
  expect((await own.call(["terminate", "b", "--keep", "--yes"])).code).toBe(0);
  expect(await own.call(["run", "--resume", "b"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is being taken down") as unknown as string,
  });
  expect(localMachines(own)).toHaveLength(1);
  expect((await own.call(["run", own.plan(levels("r", ["a: {}"])), "--name", "r", "--keep", "always"])).code).toBe(0);
  expect((await own.call(["terminate", "r", "--keep", "--yes"])).code).toBe(0);
  expect((await own.call(["run", "--resume", "r"])).code).toBe(2);
  expect(localMachines(own)).toHaveLength(2);
}, 60_000);
