/** How long things took in earlier runs, read from a real database. */
import Database from "better-sqlite3";
import { expect, test } from "@jest/globals";

import type { RunEvent, RunState } from "../../../src/model/events.js";
import { openStore } from "../../../src/state/openStore.js";
import type { Store } from "../../../src/state/contract/store.js";
import { plan, service } from "../../support/plans.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const shop = (file = "/plan/launch.yaml") =>
  plan(
    [
      { name: "one", services: [service("db")] },
      { name: "two", services: [service("web", { replicas: 2 })] },
    ],
    { name: "shop", file },
  );

const started: RunEvent = { at: 0, type: "run-started", run: "r", plan: "shop", verb: "boot", levels: [] };
const level = (at: number, name: string): RunEvent => ({ at, type: "level-started", level: name, index: 0 });
const state = (
  at: number,
  name: string,
  of: string,
  entered: "launching" | "connecting" | "planned" | "ready",
): RunEvent => ({ at, type: "service-state", service: name, level: of, state: entered });
const launched = (at: number, name: string): RunEvent => ({
  at,
  type: "machine-launched",
  service: name,
  cloud: "c",
  id: `i-${name}`,
  host: null,
});
const finished = (ended: RunState): RunEvent => ({ at: 999, type: "run-finished", run: "r", state: ended, ms: 999 });

/** db's machine takes `ms`, and db 50 ms more. */
const one = (ms: number) => [
  started,
  level(10, "one"),
  state(10, "db", "one", "launching"),
  launched(10 + ms, "db"),
  state(10 + ms, "db", "one", "connecting"),
  state(60 + ms, "db", "one", "ready"),
];

async function past(store: Store, events: readonly RunEvent[], file?: string): Promise<void> {
  const writer = await store.createRun({ name: null, plan: shop(file), bundles: {}, variables: [] });
  await writer.write(...events.map((event) => ({ kind: "event" as const, event })));
  await writer.release();
}

const launches = (runs: Awaited<ReturnType<Store["pastRuns"]>>) => runs.map(({ services }) => services[0]?.launchMs);

test("a service's launch lasts from its wish to its address, its work from when its level and its machine are there until it is ready", async () => {
  const store = await openStore(temporaryDirectory());
  await past(store, [
    ...one(100),
    // Early, and there before its level begins.
    state(120, "web-1", "two", "launching"),
    launched(200, "web-1"),
    // Refused at first, asked for again, and late.
    state(120, "web-2", "two", "launching"),
    state(130, "web-2", "two", "planned"),
    level(300, "two"),
    state(300, "web-2", "two", "launching"),
    state(320, "web-1", "two", "connecting"),
    launched(450, "web-2"),
    state(360, "web-1", "two", "ready"),
    state(500, "web-2", "two", "ready"),
    finished("ready"),
    // What is done to the run later is no boot.
    started,
    level(5_000, "one"),
    state(9_000, "db", "one", "ready"),
    finished("ready"),
  ]);
  expect(await store.pastRuns(shop())).toEqual([
    {
      cameUp: true,
      services: [
        { spec: "db", launchMs: 100, workMs: 50 },
        { spec: "web", launchMs: 80, workMs: 60 },
        { spec: "web", launchMs: 150, workMs: 50 },
      ],
    },
  ]);
  await store.close();
});

test("runs that came up go first, then the newest; of runs that did not, what came up counts", async () => {
  const store = await openStore(temporaryDirectory());
  await past(store, [...one(1), finished("ready")]);
  await past(store, [...one(2), finished("failed")]);
  await past(store, [...one(3), finished("ready")]);
  // Its launcher was killed; another one goes on.
  await past(store, [...one(4), started, finished("ready")]);
  await past(store, one(5));
  await past(store, [started]);
  const runs = await store.pastRuns(shop());
  expect(launches(runs)).toEqual([3, 1, 5, 4, 2]);
  expect(runs.map(({ cameUp }) => cameUp)).toEqual([true, true, false, false, false]);
  await store.close();
});

test("runs of other plans do not count, those of a namesake elsewhere after its own", async () => {
  const store = await openStore(temporaryDirectory());
  await past(store, [...one(1), finished("ready")]);
  await past(store, [...one(2), finished("ready")], "/elsewhere/launch.yaml");
  expect(launches(await store.pastRuns(shop()))).toEqual([1, 2]);
  expect(await store.pastRuns({ name: "another", file: "/plan/launch.yaml" })).toEqual([]);
  await store.close();
});

test("of many runs the newest twenty are told, and no more are read than that takes", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  for (let ms = 1; ms <= 30; ms += 1) await past(store, [...one(ms), finished("ready")]);
  expect(launches(await store.pastRuns(shop()))).toEqual(Array.from({ length: 20 }, (_, index) => 30 - index));
  const db = new Database(`${home}/bootlevel.db`, { readonly: true });
  const steps = db
    .prepare("EXPLAIN QUERY PLAN SELECT at FROM events WHERE run_id = ? AND type IN ('run-started') ORDER BY id")
    .all(1) as { detail: string }[];
  expect(steps.map(({ detail }) => detail)).toEqual([expect.stringContaining("USING INDEX events_run")]);
  db.close();
  await store.close();
});
