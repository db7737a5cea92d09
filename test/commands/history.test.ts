/** History: every machine of a run; and reading commands beside many past runs. */
import { join } from "node:path";

import { jest, test, expect } from "@jest/globals";
import Database from "better-sqlite3";
import { installation } from "../support/installation.js";
import { boot, levels, loseMachine } from "../support/liveRun.js";
import { listRuns, showRun, history, readEvents } from "../../src/library/records.js";

test("every machine that was ever started, oldest first, with its end and what its cloud says now", async () => {
  const own = installation();
  await boot(own, own.plan(levels("past", ["a: {}\nb: {}"])), "past");
  loseMachine(own, "a");
  expect((await own.json(["history", "past"])).document.machines).toMatchObject([
    { service: "a", end: "", now: "stopped" },
    { service: "b", end: "", now: "running" },
  ]);
  expect((await own.call(["repair", "past"])).code).toBe(0);
  const { code, document } = await own.json(["history", "past"]);
  expect([code, document.version, document.command, document.run]).toEqual([0, 1, "history", "past"]);
  expect(document.machines).toMatchObject([
    { service: "a", cloud: "local", end: "replaced", now: "terminated" },
    { service: "b", end: "", now: "running" },
    { service: "a", end: "", now: "running" },
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
  expect(await own.json(["history", "ghost"])).toMatchObject({
    code: 2,
    document: { command: "history", error: { exitCode: 2 } },
  });
});

test("what reads a run goes by indexes, so that past runs do not slow it down", async () => {
  const own = installation();
  await boot(own, own.plan(levels("now", ["a: {}\nb: {}"])), "now");
  const file = join(own.home, "bootlevel.db");
  const home = { home: own.home };
  const read = new Set<string>();
  const prepare = jest.spyOn(Database.prototype, "prepare");
  try {
    await listRuns(home);
    await showRun("now", home);
    await history("now", home);
    await readEvents("now", home);
    for (const [sql] of prepare.mock.calls) if (/^\s*SELECT/.test(sql)) read.add(sql);
  } finally {
    prepare.mockRestore();
  }
  const db = new Database(file, { readonly: true });
  try {
    const scans = [...read].flatMap((sql) => {
      const unknown = Array.from({ length: (sql.match(/\?/g) ?? []).length }, () => null);
      return db
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...unknown)
        .map(({ detail }) => `${detail}: ${sql}`)
        .filter((step) => step.startsWith("SCAN"));
    });
    expect([...read].filter((sql) => /FROM (runs|services|machines|events)\b/.test(sql)).length).toBeGreaterThanOrEqual(
      4,
    );
    // `list` alone goes over runs themselves: the live ones, a short row each; never over what they have.
    expect(scans).toEqual([
      expect.stringMatching(
        /^SCAN runs USING INDEX runs_live: [\s\S]* FROM runs WHERE state <> 'terminated' ORDER BY id$/,
      ),
    ]);
  } finally {
    db.close();
  }
});
