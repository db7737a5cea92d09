/** History: every machine of a run; and reading commands beside many past runs. */
import { join } from "node:path";

import { test, expect } from "@jest/globals";
import Database from "better-sqlite3";

import { listRuns, showRun, history } from "../../src/index.js";
import { installation } from "../support/installation.js";
import { boot, levels, loseMachine } from "../support/liveRun.js";

test("every machine that was ever started, oldest first, with its end and what its cloud says now", async () => {
  const own = installation();
  await boot(own, own.plan(levels("past", ["a: {}\nb: {}"])), "past");
  loseMachine(own, "a");
  expect((await own.json(["history", "past"])).document.machines).toMatchObject([{ service: "a", end: "", now: "stopped" }, { service: "b", end: "", now: "running" }]);
  expect((await own.call(["repair", "past"])).code).toBe(0);
  const { code, document } = await own.json(["history", "past"]);
  expect([code, document.version, document.command, document.run]).toEqual([0, 1, "history", "past"]);
  expect(document.machines).toMatchObject([
    { service: "a", cloud: "local", end: "replaced", now: "terminated" }, { service: "b", end: "", now: "running" }, { service: "a", end: "", now: "running" },
  ]);
  for (const { requestedAt, launchedAt, endedAt, end, key } of document.machines) {
    expect(launchedAt).toBeGreaterThanOrEqual(requestedAt);
    expect([endedAt === null, end === ""]).toEqual(end === "" ? [true, true] : [false, false]);
    expect(key).toMatch(/\.[ab]\.[12]$/);
  }
  expect((await own.call(["terminate", "past", "--yes"])).code).toBe(0);
  const table = await own.call(["history", "past"]);
  expect(table.stdout).toMatch(/STARTED +SERVICE +CLOUD +ID +HOST +LIVED +ENDED +NOW/);
  expect(table.stdout.match(/ (replaced|terminated) +terminated/g)).toHaveLength(3);
  expect(await own.json(["history", "ghost"])).toMatchObject({ code: 2, document: { command: "history", error: { exitCode: 2 } } });
});

test("a run is listed and shown as fast beside ten thousand past ones as beside ten", async () => {
  const own = installation();
  await boot(own, own.plan(levels("now", ["a: {}\nb: {}"])), "now");
  const file = join(own.home, "bootlevel.db");
  const fill = (count: number) => {
    const db = new Database(file);
    try {
      db.transaction(() => {
        const run = db.prepare("INSERT INTO runs (uid, name, plan_name, plan_file, state, goal, created_at, updated_at) SELECT uid || ?, 'past-' || ?, plan_name, plan_file, 'terminated', 'down', 1, 1 FROM runs WHERE id = 1");
        const plan = db.prepare("INSERT INTO plans SELECT ?, revision, plan, bundles, stored_at FROM plans WHERE run_id = 1");
        const service = db.prepare("INSERT INTO services (run_id, level, spec, name, replica, state, updated_at) SELECT ?, level, spec, name, replica, 'terminated', 1 FROM services WHERE run_id = 1");
        const machine = db.prepare("INSERT INTO machines (run_id, service_id, cloud, key, generation, state, requested_at) SELECT run_id, id, 'local', run_id || name, 1, 'ended', 1 FROM services WHERE run_id = ?");
        const event = db.prepare("INSERT INTO events (run_id, at, type, data) VALUES (?, 1, 'warning', '{}')");
        for (let index = 0; index < count; index += 1) {
          const id = run.run(`${count}.${index}`, index % 100).lastInsertRowid;
          for (const insert of [plan, service, machine, event]) insert.run(id);
        }
      })();
    } finally {
      db.close();
    }
  };
  const home = { home: own.home };
  const questions: Record<string, () => Promise<unknown>> = { list: () => listRuns(home), show: () => showRun("now", home), history: () => history("now", home) };
  const measure = async () => {
    const best: Record<string, number> = {};
    for (const [name, ask] of Object.entries(questions)) {
      best[name] = Infinity;
      for (let round = 0; round < 15; round += 1) {
        const at = performance.now();
        await ask();
        best[name] = Math.min(best[name], performance.now() - at);
      }
    }
    return best;
  };
  fill(10);
  await measure();
  const few = await measure();
  fill(10_000);
  const many = await measure();
  for (const name of Object.keys(questions)) expect([name, (many[name] ?? 0) < 3 * (few[name] ?? 0) + 2]).toEqual([name, true]);
  const db = new Database(file, { readonly: true });
  try {
    const steps = ["SELECT * FROM runs WHERE name = 'now' ORDER BY id DESC LIMIT 1", "SELECT * FROM services WHERE run_id = 1 AND removed = 0 ORDER BY level, id", "SELECT * FROM machines WHERE run_id = 1 ORDER BY id", "SELECT * FROM events WHERE run_id = 1 AND id > 0 ORDER BY id"]
      .flatMap((sql) => db.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all().map(({ detail }) => detail));
    expect(steps.filter((step) => step.startsWith("SCAN"))).toEqual([]);
  } finally {
    db.close();
  }
});
