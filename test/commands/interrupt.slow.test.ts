/** Ctrl-C once, twice, and the launcher's sudden death: what was begun is known, and can be ended. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { eventually, isAlive } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { processesAt } from "../support/traces.js";

/** `a` waits in its boot program until the file go is there; `z` is a level later. */
const waiting = (facts: string) => `plan: wait
levels:
  - name: one
    services:
      a: { boot: { program: wait.sh }, ready: { command: "echo ready >> '${facts}/ran'" }, terminate: { command: "echo terminate >> '${facts}/ran'" } }
  - name: two
    services:
      z: { boot: { command: "echo later >> '${facts}/ran'" } }
`;
const waitScript = (facts: string) =>
  `#!/bin/sh\nsleep 3100 &\necho $! > '${facts}/server'\necho $$ > '${facts}/pid'\ntouch '${facts}/begun'\nuntil test -f '${facts}/go'; do sleep 0.05; done\necho boot >> '${facts}/ran'\n`;

async function begin(own: Installation, words: string[] = []) {
  const folder = own.plan(waiting(own.facts), { "wait.sh": waitScript(own.facts) });
  const boot = own.start(["boot", folder, "--name", "wait", ...words]);
  let shown = "";
  for (const stream of [boot.child.stdout, boot.child.stderr])
    stream?.on("data", (text: string) => {
      shown += text;
    });
  await eventually("the boot program runs", () => own.fact("begun") !== null);
  return { boot, shown: () => shown, letGo: () => own.plan("", { go: "" }, "facts") };
}

const stateOf = async (own: Installation) => (await own.json(["list", "--all"])).document.runs[0].state as string;

async function endAndLookAround(own: Installation): Promise<void> {
  const pids = [own.fact("server"), own.fact("pid")].map(Number);
  expect(await own.call(["terminate", "wait", "--yes"])).toMatchObject({ code: 0 });
  expect(pids.filter(isAlive)).toEqual([]);
  expect(processesAt(join(own.home, "drivers"))).toEqual([]);
  expect(readdirSync(join(own.home, "drivers", "local", "machines"))).toEqual([]);
  expect(readdirSync(join(own.home, "drivers", "local", "claims"))).toEqual([]);
  expect(await stateOf(own)).toBe("terminated");
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s once: the running program finishes and is written down, nothing new starts, 130",
  async (signal) => {
    const own = installation();
    const { boot, shown, letGo } = await begin(own);
    boot.child.kill(signal);
    await eventually("the launcher says that it stops", () => shown().includes("stopping"));
    expect(isAlive(Number(own.fact("pid")))).toBe(true);
    letGo();
    const ended = await boot.ended;
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(ended.stdout).toContain("bootlevel terminate wait");
    expect(own.fact("ran")).toBe("boot\n");
    expect(await stateOf(own)).toBe("interrupted");
    const { document } = await own.json(["events", "wait"]);
    expect(
      document.events.filter(
        ({ type, data }: { type: string; data: { step?: string } }) => type === "step-finished" && data.step === "boot",
      ),
    ).toMatchObject([{ service: "a", data: { exitCode: 0 } }]);
    expect((await own.call(["status", "wait"])).code).toBe(1);
    await endAndLookAround(own);
    expect(own.fact("ran")).toBe("boot\nterminate\n");
  },
);

test("an interrupted boot with --json is one document with state interrupted, and 130", async () => {
  const own = installation();
  const { boot, shown, letGo } = await begin(own, ["--json"]);
  boot.child.kill("SIGINT");
  await eventually("the launcher says that it stops", () => shown().includes("stopping"));
  letGo();
  const ended = await boot.ended;
  expect(ended.code).toBe(130);
  expect(JSON.parse(ended.stdout)).toMatchObject({ run: "wait", state: "interrupted", failures: [] });
});

test("a second interruption leaves at once with 130; terminate ends what was left", async () => {
  const own = installation();
  const { boot, shown } = await begin(own);
  boot.child.kill("SIGINT");
  await eventually("the launcher says that it stops", () => shown().includes("stopping"));
  boot.child.kill("SIGINT");
  expect(await boot.ended).toMatchObject({ code: 130, signal: null });
  expect(isAlive(Number(own.fact("pid")))).toBe(true); // the program, which nobody lets go, was not waited for
  expect(await stateOf(own)).toBe("interrupted");
  await endAndLookAround(own);
  expect(own.fact("ran")).toBe("terminate\n");
});

test("a launcher killed while a boot program runs: the run is interrupted, and terminate leaves no process of it", async () => {
  const own = installation();
  const { boot } = await begin(own);
  boot.child.kill("SIGKILL");
  expect(await boot.ended).toMatchObject({ signal: "SIGKILL" });
  const { document } = await own.json(["list"]);
  expect(document.runs).toMatchObject([{ name: "wait", state: "interrupted" }]);
  expect((await own.json(["show", "wait"])).document.levels[0].services[0]).toMatchObject({
    name: "a",
    state: "booting",
  });
  expect((await own.call(["status", "wait"])).code).toBe(1);
  await endAndLookAround(own);
});

test.each(["machine", "launcher"])(
  "a launcher killed while a program runs on the %s: terminate takes away its attributes, which may be secret, from memory too",
  async (where) => {
    const own = installation();
    const folder = own.plan(
      `plan: memory\nlevels: [{ name: one, services: { a: { boot: { program: wait.sh, where: ${where} } } } }]\n`,
      {
        "wait.sh": `#!/bin/sh\ndirname "$BOOTLEVEL_ATTRIBUTES" > '${own.facts}/memory'\n${waitScript(own.facts).slice(10)}`,
      },
    );
    const boot = own.start(["boot", folder, "--name", "memory"]);
    await eventually("the boot program runs", () => own.fact("begun") !== null);
    boot.child.kill("SIGKILL");
    await boot.ended;
    const memory = (own.fact("memory") ?? "").trim();
    expect(existsSync(join(memory, "attributes"))).toBe(true);
    try {
      expect(await own.call(["terminate", "memory", "--yes"])).toMatchObject({ code: 0 });
      expect([own.fact("server"), own.fact("pid")].map(Number).filter(isAlive)).toEqual([]);
      expect(existsSync(memory)).toBe(false);
    } finally {
      rmSync(memory, { recursive: true, force: true });
    }
  },
);

test("a launcher killed at any moment of a boot leaves nothing that terminate does not find", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: any\nlevels:\n  - name: one\n    services:\n      a: { replicas: 4, boot: { command: "sleep 3101 & echo $! >> '${own.facts}/pids'" }, ready: { command: "sleep 0.05" } }\n  - name: two\n    services:\n      b: { replicas: 4, boot: { command: "sleep 3101 & echo $! >> '${own.facts}/pids'" } }\n`,
  );
  for (const [index, event] of [
    "run-started",
    "machine-launched",
    "connecting",
    "booting",
    "verifying",
    "level 2",
  ].entries()) {
    const name = `any-${index}`;
    const boot = own.start(["boot", folder, "--name", name, "--verbose"]);
    let shown = "";
    boot.child.stdout?.on("data", (text: string) => {
      shown += text;
      if (
        shown.includes(event) ||
        (event === "run-started" && shown !== "") ||
        (event === "machine-launched" && shown.includes("launched"))
      )
        boot.child.kill("SIGKILL");
    });
    await boot.ended;
    expect((await own.json(["list"])).document.runs).toMatchObject([
      { name, state: expect.stringMatching(/^(interrupted|ready)$/) as unknown },
    ]);
    expect(await own.call(["terminate", name, "--yes"])).toMatchObject({ code: 0 });
    expect(
      (own.fact("pids") ?? "")
        .trim()
        .split("\n")
        .map(Number)
        .filter((pid) => pid > 0 && isAlive(pid)),
    ).toEqual([]);
    expect(processesAt(join(own.home, "drivers"))).toEqual([]);
    // A draft of a claim, which begins with a dot, claims nothing.
    const claims = join(own.home, "drivers", "local", "claims");
    expect((existsSync(claims) ? readdirSync(claims) : []).filter((file) => !file.startsWith("."))).toEqual([]);
  }
});

test("an interrupted terminate finishes the program that runs, keeps what it has not begun, and can be called again", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: down\nlevels:\n  - name: one\n    services:\n      low: { terminate: { command: "echo low >> '${own.facts}/ran'" } }\n  - name: two\n    services:\n      high: { terminate: { command: "touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done; echo high >> '${own.facts}/ran'" } }\n`,
  );
  expect(await own.call(["boot", folder, "--name", "down"])).toMatchObject({ code: 0 });
  const end = own.start(["terminate", "down", "--yes"]);
  let shown = "";
  end.child.stdout?.on("data", (text: string) => {
    shown += text;
  });
  await eventually("the terminate program runs", () => own.fact("begun") !== null);
  end.child.kill("SIGINT");
  await eventually("it says that it stops", () => shown.includes("stopping"));
  own.plan("", { go: "" }, "facts");
  expect(await end.ended).toMatchObject({ code: 130 });
  expect(own.fact("ran")).toBe("high\n");
  expect((await own.json(["list"])).document.runs).toMatchObject([{ name: "down", state: "interrupted" }]);
  expect(await own.call(["terminate", "down", "--yes"])).toMatchObject({ code: 0 });
  expect((own.fact("ran") ?? "").split("\n")).toContain("low");
});

test("a launcher killed while a terminate program runs: terminate can be called again and ends everything", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: down\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: "sleep 3102 & echo $! > '${own.facts}/server'" }, terminate: { command: "touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done" } }\n`,
  );
  expect(await own.call(["boot", folder, "--name", "down"])).toMatchObject({ code: 0 });
  const end = own.start(["terminate", "down", "--yes"]);
  await eventually("the terminate program runs", () => own.fact("begun") !== null);
  end.child.kill("SIGKILL");
  await end.ended;
  expect((await own.json(["list"])).document.runs).toMatchObject([{ state: "interrupted" }]);
  own.plan("", { go: "" }, "facts");
  expect(await own.call(["terminate", "down", "--yes"])).toMatchObject({ code: 0 });
  expect(isAlive(Number(own.fact("server")))).toBe(false);
  expect(processesAt(join(own.home, "drivers"))).toEqual([]);
});
