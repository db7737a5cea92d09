/** The library's public face, used as a program would. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, test, expect } from "@jest/globals";

import { readLogs, RunBusyError, RunExistsError, UnknownRunError, type RunEvent } from "../../src/index.js";
import { checkVariables, describePlan, loadPlan } from "../../src/library/plans.js";
import { boot, reload, repair, status, terminate } from "../../src/library/runs.js";
import { listRuns, readEvents, runNames, showRun } from "../../src/library/records.js";
import { eventually } from "../support/eventually.js";

let directory: string;
let home: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bootlevel lib é "));
  home = join(directory, "home");
});

afterEach(async () => {
  for (const run of await listRuns({ home })) await terminate(run.name, { home, force: true });
  rmSync(directory, { recursive: true, force: true });
});

async function planOf(text: string, name = "plan.yaml") {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), text);
  return loadPlan(join(directory, name));
}

const small =
  "plan: small\nvariables: { word: hello, code: { secret: true, env: NO_SUCH_CODE, default: c0de-c0de } }\nlevels:\n  - { name: one, services: { a: { outputs: [id], boot: { command: 'echo ${var.word} ${var.code}; echo id=${var.word} >> $BOOTLEVEL_OUTPUT' } } } }\n  - { name: two, services: { b: { replicas: 2, ready: { command: 'echo ${a.id}' } } } }\n";

test("a plan boots, is looked at and ends; every event is told in order, and the record is the same story", async () => {
  const plan = await planOf(small);
  const told: RunEvent[] = [];
  const result = await boot(plan, {
    home,
    name: "lib",
    variables: { word: "hi" },
    onEvent: (event) => told.push(event),
  });
  expect(result).toMatchObject({ run: "lib", state: "ready", failures: [] });
  const recorded = await readEvents("lib", { home });
  expect(recorded.map(({ type }) => type)).toEqual(
    told.filter(({ type }) => type !== "output").map(({ type }) => type),
  );
  const order = told.flatMap((event) => (event.type === "service-state" && event.service === "a" ? [event.state] : []));
  expect(order).toEqual(["launching", "connecting", "booting", "verifying", "ready"]);
  expect(JSON.stringify([told, recorded])).not.toContain("c0de-c0de");
  expect(await status("lib", { home })).toMatchObject({ healthy: true });
  expect((await showRun("lib", { home })).levels[0]?.services[0]?.attributes["id"]).toEqual({
    kind: "output",
    secret: false,
    value: "hi",
  });
  expect(await runNames({ home })).toEqual(["lib"]);
  expect(await terminate("lib", { home })).toMatchObject({ state: "terminated" });
  expect(await listRuns({ home })).toEqual([]);
  expect(await listRuns({ home, all: true })).toMatchObject([{ name: "lib", state: "terminated" }]);
});

test("a plan is described without being started", async () => {
  expect(await describePlan(await planOf(small))).toMatchObject({ plan: "small", services: 3, machines: 3 });
  expect(await listRuns({ home, all: true })).toEqual([]);
});

test("a run's name is made from the plan's if none is given, and two boots get two", async () => {
  const plan = await planOf(small);
  const names = (await Promise.all([boot(plan, { home }), boot(plan, { home })])).map(({ run }) => run);
  for (const name of names) expect(name).toMatch(/^small-[0-9a-z]{4}$/);
  expect(new Set(names).size).toBe(2);
});

test("errors are classes: a name in use, an unknown run, a busy one, missing variables", async () => {
  const plan = await planOf(small);
  await boot(plan, { home, name: "lib" });
  await expect(boot(plan, { home, name: "lib" })).rejects.toBeInstanceOf(RunExistsError);
  for (const work of [status, terminate, showRun, readEvents])
    await expect(work("ghost", { home })).rejects.toBeInstanceOf(UnknownRunError);
  await expect(checkVariables(plan, { variables: { wrod: "x" } })).rejects.toMatchObject({
    name: "PlanError",
    mistakes: [{ suggestion: "word" }],
  });
});

test("a run that this very process boots is busy for a second caller", async () => {
  const go = join(directory, "go");
  const plan = await planOf(
    `plan: busy\nlevels: [{ name: one, services: { a: { boot: { command: "until test -f '${go}'; do sleep 0.05; done" } } } }]\n`,
  );
  let refused: unknown;
  const result = await boot(plan, {
    home,
    name: "busy",
    onEvent: (event) => {
      if (event.type !== "step-started" || event.step !== "boot") return;
      void terminate("busy", { home })
        .catch((error: unknown) => {
          refused = error;
        })
        .finally(() => {
          writeFileSync(go, "");
        });
    },
  });
  expect(result.state).toBe("ready");
  expect(refused).toBeInstanceOf(RunBusyError);
});

test("an aborted signal stops a boot in order: what runs is finished, nothing new starts", async () => {
  const plan = await planOf(
    `plan: stop\nprelaunch: none\nlevels:\n  - { name: one, services: { a: { boot: { command: "touch '${directory}/begun'; sleep 0.3; touch '${directory}/a'" } } } }\n  - { name: two, services: { b: { boot: { command: "touch '${directory}/b'" } } } }\n`,
  );
  const stop = new AbortController();
  const { existsSync } = await import("node:fs");
  const booting = boot(plan, { home, name: "stop", signal: stop.signal });
  await eventually("the program runs", () => existsSync(join(directory, "begun")));
  stop.abort();
  expect(await booting).toMatchObject({ state: "interrupted", failures: [] });
  const show = await showRun("stop", { home });
  expect(show.levels.map(({ services }) => services.map(({ state }) => state))).toEqual([["verifying"], ["planned"]]);
  expect([existsSync(join(directory, "a")), existsSync(join(directory, "b"))]).toEqual([true, false]);
});

test("a signal that is aborted before the boot starts launches nothing and is no failure", async () => {
  const plan = await planOf(small);
  expect(await boot(plan, { home, name: "never", signal: AbortSignal.abort() })).toMatchObject({
    state: "interrupted",
    failures: [],
  });
  expect(
    (await showRun("never", { home })).levels.flatMap(({ services }) => services.map(({ machine }) => machine)),
  ).toEqual([null, null, null]);
});

test.each(["run-started", "level-started", "machine-launched", "step-finished"])(
  "a signal aborted at the first %s makes an interrupted run, not a failed one",
  async (type) => {
    const plan = await planOf(small);
    const stop = new AbortController();
    const result = await boot(plan, {
      home,
      name: "stop",
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === type) stop.abort();
      },
    });
    expect(result).toMatchObject({ state: "interrupted", failures: [] });
  },
);

test("logs come as text with their service and step", async () => {
  await boot(await planOf(small), { home, name: "lib" });
  const chunks = [];
  for await (const chunk of readLogs("lib", { home, service: "a" })) chunks.push(chunk);
  expect(chunks.map(({ service, step }) => [service, step])).toEqual([["a", "boot"]]);
  expect(chunks[0]?.text).toContain("hello [secret]\n");
});

test("machines launched for a level are known even if every service of it fails", async () => {
  const plan = await planOf(
    "plan: bad\nlevels: [{ name: one, services: { a: { replicas: 3, boot: { command: 'exit 1' } } } }]\n",
  );
  const result = await boot(plan, { home, name: "bad" });
  expect(result.failures).toHaveLength(3);
  expect((await terminate("bad", { home })).terminated).toHaveLength(3);
});

test("a reload asks without holding the run: others may work on it meanwhile, and then it asks again", async () => {
  await boot(await planOf(small), { home, name: "q" });
  const changed = await planOf(small.replace("hello", "hi"));
  const asked: unknown[] = [];
  const result = await reload("q", changed, {
    home,
    confirm: async ({ changes }) => {
      asked.push(changes);
      if (asked.length === 1) await reload("q", await planOf(small.replace("hello", "hey"), "other.yaml"), { home });
      else await repair("q", { home });
      return true;
    },
  });
  expect(result).toMatchObject({ applied: true, state: "ready" });
  expect(asked).toHaveLength(2);
  expect((await showRun("q", { home })).levels[0]?.services[0]?.attributes["id"]).toMatchObject({ value: "hi" });
});
