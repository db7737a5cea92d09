/** A database that an earlier version has written opens with all that is in it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { migrations } from "../../../src/state/sqlite/migrations.js";
import { openStore } from "../../../src/state/sqlite/store.js";
import { plan, service } from "../../support/plans.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const oldPlan = plan([{ name: "one", services: [service("db"), service("web", { replicas: 2 })] }]);

/** A database of the first version: a run that is up, one that is half-way down, one that is terminated. */
function firstVersion(home: string): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const db = new Database(join(home, "bootlevel.db"));
  db.exec(migrations[0] as string);
  db.pragma("user_version = 1");
  db.prepare("INSERT INTO meta (key, value) VALUES ('installation', 'mark-of-then')").run();
  const run = db.prepare(
    'INSERT INTO runs (uid, name, plan_name, plan_file, plan, bundles, state, created_at, updated_at) VALUES (?, ?, \'sample\', \'/plan/launch.yaml\', ?, \'{"db.boot":{"path":"/b","sha256":"00","size":1,"entry":null}}\', ?, 5, 6)',
  );
  const one = db.prepare(
    "INSERT INTO services (run_id, level, spec, name, replica, state, generation, booted, updated_at) VALUES (?, 0, ?, ?, ?, ?, 1, 1, 7)",
  );
  for (const [number, [name, state, serviceState]] of [
    ["up", "ready", "ready"],
    ["half", "failed", "terminated"],
    ["down", "terminated", "terminated"],
  ].entries()) {
    run.run(`uid-${name}`, name, JSON.stringify(oldPlan), state);
    one.run(number + 1, "db", "db", 1, "ready");
    one.run(number + 1, "web", "web-1", 1, serviceState);
    one.run(number + 1, "web", "web-2", 2, "ready");
  }
  db.prepare(
    "INSERT INTO machines (run_id, service_id, cloud, key, generation, state, driver_id, requested_at) VALUES (1, 1, 'local', 'uid-up.db.1', 1, 'running', 'm-1', 8)",
  ).run();
  db.prepare(
    "INSERT INTO steps (service_id, step, attempt, directory, started_at) VALUES (1, 'boot', 1, 'db/boot-1', 9)",
  ).run();
  db.prepare(
    "INSERT INTO leases (run_id, fence, holder, host, pid, process_start, command, since, renewed_at) VALUES (1, 4, NULL, 'h', 1, '', 'boot', 1, 1)",
  ).run();
  db.close();
}

test("runs, plans, services, machines and steps of the first version are all there", async () => {
  const home = temporaryDirectory();
  firstVersion(home);
  const store = await openStore(home);
  const up = await store.findRun("up");
  expect(up).toMatchObject({ state: "ready", goal: "up", createdAt: 5 });
  const { revision, plan: kept, bundles } = await store.plan(up);
  expect({ revision, kept, bundles: Object.keys(bundles) }).toEqual({
    revision: 1,
    kept: oldPlan,
    bundles: ["db.boot"],
  });
  expect(await store.services(up)).toMatchObject([
    { name: "db", revision: 1, due: null, booted: true },
    { name: "web-1" },
    { name: "web-2" },
  ]);
  expect(await store.machines(up)).toMatchObject([
    { key: "uid-up.db.1", generation: 1, driverId: "m-1", state: "running" },
  ]);
  expect(await store.steps(up)).toMatchObject([{ step: "boot", machineKey: null, endedAt: null }]);
  store.close();
});

test("a run that was being taken down stays one", async () => {
  const home = temporaryDirectory();
  firstVersion(home);
  const store = await openStore(home);
  expect(await Promise.all(["up", "half", "down"].map(async (name) => (await store.findRun(name)).goal))).toEqual([
    "up",
    "down",
    "down",
  ]);
  store.close();
});

test("the installation keeps its mark, in a file beside the database from now on", async () => {
  const home = temporaryDirectory();
  firstVersion(home);
  const store = await openStore(home);
  expect(await store.installation()).toBe("mark-of-then");
  store.close();
  const { rmSync } = await import("node:fs");
  for (const end of ["", "-wal", "-shm"]) rmSync(join(home, `bootlevel.db${end}`), { force: true });
  const fresh = await openStore(home);
  expect(await fresh.installation()).toBe("mark-of-then");
  fresh.close();
});

test("the lease goes on counting, so that a launcher of before can write nothing", async () => {
  const home = temporaryDirectory();
  firstVersion(home);
  const store = await openStore(home);
  const writer = await store.takeRun(await store.findRun("up"), "repair");
  const db = new Database(join(home, "bootlevel.db"));
  expect(db.prepare("SELECT fence FROM leases WHERE run_id = 1").pluck().get()).toBe(5);
  db.close();
  await writer.release();
  store.close();
});
