/** The simulated cloud's file: used by several processes at once, whole after each is killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { build } from "esbuild";

import { realClock } from "../../../src/time/clock.js";
import { launched, never, program, simCloud, simDirectory, wish } from "../../support/simCloud.js";
import type { ProgramRunner } from "../../../src/machines/program/programRunner.js";
import { endOf, type Ended } from "../../support/children.js";
import { eventually } from "../../support/eventually.js";

const folder = mkdtempSync(join(tmpdir(), "bootlevel-sim-"));
const driverModule = join(folder, "driver.mjs");
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
beforeAll(async () => {
  const entry = fileURLToPath(new URL("../../../src/drivers/sim/simDriver.ts", import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    external: ["better-sqlite3"],
  });
  // A module in a temporary folder finds no packages of its own.
  const sqlite = pathToFileURL(createRequire(import.meta.url).resolve("better-sqlite3")).href;
  writeFileSync(
    driverModule,
    (outputFiles[0]?.text ?? "").replace('from "better-sqlite3"', `from ${JSON.stringify(sqlite)}`),
  );
});

interface Launcher {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  readonly printed: () => string;
}

/** A process that has the driver of `directory`, and runs `work` with it. */
function launcher(directory: string, work: string): Launcher {
  const script = `
    import sim from ${JSON.stringify(pathToFileURL(driverModule).href)};
    import { setTimeout as sleep } from "node:timers/promises";
    const clock = { now: () => Date.now(), sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}) };
    const driver = sim.create({ cloud: "test", options: { seed: 1, programs: { boot: { duration: "1500ms" } } }, stateDirectory: ${JSON.stringify(directory)}, warn: console.error, clock });
    const never = new AbortController().signal;
    const wish = (key, service) => ({ key, mark: { installation: "here", run: "run1", runName: "run", service }, image: null, size: null, launch: {}, avoid: [] });
    ${work}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const ended = endOf("a process with the driver", child);
  child.stdout.on("data", (chunk: string) => {
    text += chunk;
  });
  return { child, ended, printed: () => text };
}

test("of several processes that ask for the same keys at once each is given the same machines", async () => {
  const directory = simDirectory();
  const children = [1, 2, 3, 4].map(() =>
    launcher(
      directory,
      `
    const ids = [];
    for (let index = 0; index < 200; index += 1) for (const outcome of await driver.launch([wish("k" + index, "web-" + index)], never)) ids.push(outcome.machine.id);
    console.log(ids.join(" "));`,
    ),
  );
  const codes = await Promise.all(children.map(async ({ ended }) => (await ended).code));
  expect(codes).toEqual([0, 0, 0, 0]);
  expect(new Set(children.map((child) => child.printed())).size).toBe(1);
  const listed = await simCloud({}, { stateDirectory: directory }).driver.list(
    { installation: "here", run: null },
    never,
  );
  expect(listed.map(({ id }) => id).sort()).toEqual(children[0]?.printed().trim().split(" ").sort());
});

test("a process that is killed in the middle of its launches leaves every machine whole, and each key is launched once", async () => {
  const directory = simDirectory();
  const { child, ended, printed } = launcher(
    directory,
    `
    for (let batch = 0; ; batch += 1) {
      await driver.launch(Array.from({ length: 10 }, (_, index) => wish(\`k\${batch * 10 + index}\`, "web-" + index)), never);
      console.log(batch);
    }`,
  );
  await eventually("a hundred batches", () => printed().split("\n").length > 100);
  child.kill("SIGKILL");
  await ended;
  const told = printed().trim().split("\n").length;
  const { driver } = simCloud({}, { stateDirectory: directory });
  const before = await driver.list({ installation: "here", run: "run1" }, never);
  expect(before.length % 10).toBe(0);
  expect(before.length).toBeGreaterThanOrEqual((told - 1) * 10);
  const keys = before.map(({ key }) => key ?? "");
  const repeated = await driver.launch(
    keys.map((key) => wish("x", { key })),
    never,
  );
  expect(repeated.map((outcome) => launched(outcome).id)).toEqual(before.map(({ id }) => id));
  expect(await driver.list({ installation: "here", run: "run1" }, never)).toHaveLength(before.length);
});

test("a program whose launcher was killed runs on in the cloud, and the next launcher is told its end", async () => {
  const directory = simDirectory();
  const { directory: step } = program("db", "boot");
  const { child, ended, printed } = launcher(
    directory,
    `
    const [{ machine }] = await driver.launch([wish("k", "db")], never);
    const request = { directory: ${JSON.stringify(step)}, args: [], env: { BOOTLEVEL_SERVICE: "db" }, attributes: {}, promised: ["token"], start: { kind: "command", line: "" }, timeoutMs: 60000, onOutput: () => console.log(machine.id), signal: never };
    await driver.programRunner(machine.id).run(request);
    console.log("ended");`,
  );
  const id = await eventually("the program has begun", () => printed().trim() || null);
  child.kill("SIGKILL");
  await ended;
  expect(printed()).not.toContain("ended");
  const { driver } = simCloud({}, { stateDirectory: directory, clock: realClock });
  const programs = driver.programRunner?.(id) as ProgramRunner;
  const result = await programs.recover({ ...program("db", "boot"), directory: step });
  expect(result).toEqual({ kind: "exited", code: 0, outputs: new Map([["token", "sim-db-token"]]) });
  await expect(programs.run(program("db", "boot", { directory: step }))).rejects.toMatchObject({
    name: "StagingError",
  });
});

test("a file that is none of a simulated cloud is refused with its name, and left as it is", async () => {
  const directory = simDirectory();
  const file = join(directory, "test.db");
  writeFileSync(file, "this is no database, but it is long enough to be looked at as one".repeat(20));
  const { driver } = simCloud({}, { stateDirectory: directory });
  await expect(driver.list({ installation: "here", run: null }, never)).rejects.toMatchObject({
    name: "DriverError",
    message: expect.stringContaining(file),
  });
});
