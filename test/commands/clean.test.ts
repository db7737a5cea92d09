/** Clean: machines with this installation's mark that no live service has are shown, and exactly those are ended. */
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";
import Database from "better-sqlite3";

import { installation, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, localMachines, waitFor } from "../support/liveRun.js";
import { isAlive } from "../support/eventually.js";

function loseDatabase(own: Installation): void {
  for (const name of readdirSync(own.home)) if (name.startsWith("bootlevel.db")) rmSync(join(own.home, name));
}

/** The record takes the machine of a service for ended while it lives. */
function forget(own: Installation, service: string): void {
  const db = new Database(join(own.home, "bootlevel.db"));
  db.prepare(
    "UPDATE machines SET state = 'ended', ended_at = 1 WHERE service_id IN (SELECT id FROM services WHERE name = ?)",
  ).run(service);
  db.close();
}

test("after the database was lost the marks are enough: shown, asked for, ended, with their processes", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(levels("lost", [`a: { boot: { command: "sleep 3200 & echo $! > '${own.facts}/pid'" } }\nb: {}`])),
    "lost",
  );
  const mark = readFileSync(join(own.home, "installation"), "utf8").trim();
  loseDatabase(own);
  const dry = await own.json(["clean", "--all", "--dry-run"]);
  expect(dry).toMatchObject({ code: 0, document: { version: 1, command: "clean", ended: [], failed: [], silent: [] } });
  const found = dry.document.found as {
    cloud: string;
    state: string;
    mark: { installation: string; runName: string; service: string };
  }[];
  expect(
    found
      .map(({ cloud, state, mark: { installation: by, runName, service } }) => [cloud, state, by, runName, service])
      .sort(),
  ).toEqual(["a", "b"].map((service) => ["local", "running", mark, "lost", service]));
  const asked = await own.call(["clean", "--all"]);
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining("use --yes") as unknown]);
  expect(localMachines(own)).toEqual(["a.1", "b.1"]);
  const pid = Number(own.fact("pid"));
  expect(isAlive(pid)).toBe(true);
  const ended = await own.call(["clean", "--all", "--yes"]);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain("2 of 2 ended.");
  expect([localMachines(own), isAlive(pid)]).toEqual([[], false]);
  expect((await own.call(["clean", "--all", "--yes"])).stdout).toBe("No orphaned machines.\n");
});

test("machines of live services, of other runs and of other installations are left alone", async () => {
  const own = installation();
  const folder = own.plan(levels("mine", ["a: {}\nb: {}"]));
  for (const name of ["one", "two"]) await boot(own, folder, name);
  expect((await own.json(["clean", "--all", "--yes"])).document.found).toEqual([]);
  forget(own, "a");
  expect(await own.json(["clean", "one", "--yes"])).toMatchObject({
    code: 0,
    document: { ended: [{ mark: { runName: "one", service: "a" } }] },
  });
  expect(localMachines(own)).toEqual(["a.1", "b.1", "b.1"]);
  loseDatabase(own);
  rmSync(join(own.home, "installation"));
  expect((await own.json(["clean", "--all", "--yes"])).document).toMatchObject({ found: [], ended: [] });
  expect(localMachines(own)).toEqual(["a.1", "b.1", "b.1"]);
  for (const name of readdirSync(join(own.home, "drivers", "local", "machines")))
    rmSync(join(own.home, "drivers", "local", "machines", name), { recursive: true });
});

test("a boot that goes on meanwhile loses nothing", async () => {
  const own = installation();
  const folder = own.plan(
    levels("busy", [`a: { replicas: 3, boot: { command: "${waitFor(own, "a")}" } }`, "z: { replicas: 3 }"]),
  );
  const first = own.start(["boot", folder, "--name", "busy"]);
  await begun(own, "a");
  const sweeps = Promise.all([1, 2, 3].map(async () => own.json(["clean", "--all", "--yes"])));
  letGo(own, "a");
  for (const { document } of await sweeps) expect(document).toMatchObject({ found: [], ended: [] });
  expect((await first.ended).code).toBe(0);
  expect((await own.call(["status", "busy"])).code).toBe(0);
});

test("calls that do not say which machines: 2", async () => {
  const own = installation();
  for (const words of [["clean"], ["clean", "one", "--all"]])
    expect(await own.call(words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("name a run, or use --all") as unknown,
    });
  expect(await own.json(["clean", "ghost"])).toMatchObject({
    code: 2,
    document: { command: "clean", error: { message: 'there is no run "ghost"' } },
  });
});
