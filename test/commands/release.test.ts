/** What a driver makes for a run beside its machines goes with the run, by terminate and by clean. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { installation, type Installation } from "../support/installation.js";
import { boot } from "../support/liveRun.js";

/**
 * Machines are files, and the first one of a run makes a file "group" beside them, which refuses to go while the file
 * "held" is there.
 */
const DRIVER = `
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
const status = (dir, key) => ({ ...JSON.parse(readFileSync(join(dir, "machines", key))), state: "running", host: "127.0.0.1", privateHost: "127.0.0.1", hostname: "x", access: { kind: "driver", cloud: "c", id: key }, reason: "" });
export default {
  name: "grouped", cloudSchema: null, launchSchema: null, sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 1000 },
  create: ({ stateDirectory: dir }) => {
    for (const name of ["machines", "groups"]) mkdirSync(join(dir, name), { recursive: true });
    const all = () => readdirSync(join(dir, "machines")).map((key) => status(dir, key));
    return {
      async launch(requests) {
        return requests.map(({ key, mark }) => {
          writeFileSync(join(dir, "groups", mark.run), "");
          writeFileSync(join(dir, "machines", key), JSON.stringify({ id: key, key, mark }));
          return { key, kind: "launched", machine: status(dir, key) };
        });
      },
      async describe(ids) { return ids.map((id) => all().find((one) => one.id === id) ?? { id, key: null, mark: null, state: "unknown", host: null, privateHost: null, hostname: null, access: null, reason: "" }); },
      async terminate(ids) { for (const id of ids) rmSync(join(dir, "machines", id), { force: true }); return ids.map((id) => ({ id, kind: "terminated" })); },
      async list({ run }) { return all().filter(({ mark }) => run === null || mark.run === run); },
      async unreleased() { return readdirSync(join(dir, "groups")); },
      async release({ run }) {
        if (all().some(({ mark }) => mark.run === run)) throw new Error("a machine is there");
        if (existsSync(join(dir, "held"))) throw new Error("the group is still in use");
        rmSync(join(dir, "groups", run), { force: true });
      },
    };
  },
};
`;
const PLAN =
  "plan: grouped\nclouds: { c: { driver: ./grouped.mjs } }\nlevels: [{ name: one, services: { a: {}, b: {} } }]\n";

const state = (own: Installation): string => join(own.home, "drivers", "grouped");
const groups = (own: Installation): string[] => readdirSync(join(state(own), "groups"));
const folderOf = (own: Installation): string => own.plan(PLAN, { "grouped.mjs": DRIVER });

test("terminate releases when the machines are gone; what does not go fails it, with words, and the next one goes on", async () => {
  const own = installation();
  await boot(own, folderOf(own), "run");
  expect(groups(own)).toHaveLength(1);
  writeFileSync(join(state(own), "held"), "");
  const held = await own.call(["terminate", "run", "--yes", "--force"]);
  expect(held.code).toBe(1);
  expect(held.stdout + held.stderr).toMatch(
    /not all resources that cloud "c" created for them: the group is still in use\. Repeat bootlevel terminate run/,
  );
  expect(readdirSync(join(state(own), "machines"))).toEqual([]);
  rmSync(join(state(own), "held"));
  expect(await own.json(["terminate", "run", "--yes"])).toMatchObject({
    code: 0,
    document: { runs: [{ state: "terminated" }] },
  });
  expect(groups(own)).toEqual([]);
});

test("clean releases for runs that the record does not know, and for those that are terminated; a dry run does not", async () => {
  const own = installation();
  const folder = folderOf(own);
  for (const name of ["lost", "live"]) await boot(own, folder, name);
  const db = new Database(join(own.home, "bootlevel.db"));
  const uid = (name: string) =>
    db.prepare<[string], { uid: string }>("SELECT uid FROM runs WHERE name = ?").get(name)?.uid ?? "";
  const [lost, live] = [uid("lost"), uid("live")];
  db.pragma("foreign_keys = ON");
  db.prepare("UPDATE runs SET uid = 'other' WHERE name = 'lost'").run();
  db.prepare(
    "UPDATE machines SET state = 'ended', ended_at = 1 WHERE service_id IN (SELECT id FROM services WHERE run_id = (SELECT id FROM runs WHERE name = 'lost'))",
  ).run();
  expect(await own.json(["clean", "--all", "--yes"])).toMatchObject({
    code: 0,
    document: { ended: [{}, {}], unreleased: [] },
  });
  expect([lost, live].map((run) => existsSync(join(state(own), "groups", run)))).toEqual([false, true]);
  writeFileSync(join(state(own), "groups", "other"), "");
  writeFileSync(join(state(own), "held"), "");
  expect(await own.json(["terminate", "lost", "--yes"])).toMatchObject({ code: 1 });
  db.prepare("UPDATE runs SET state = 'terminated' WHERE name = 'lost'").run();
  db.close();
  expect(await own.json(["clean", "--all", "--dry-run"])).toMatchObject({
    code: 0,
    document: { found: [], unreleased: [] },
  });
  expect(await own.json(["clean", "--all", "--yes"])).toMatchObject({
    code: 1,
    document: { found: [], unreleased: [{ cloud: "c", run: "other", message: "the group is still in use" }] },
  });
  rmSync(join(state(own), "held"));
  expect(await own.json(["clean", "--all", "--yes"])).toMatchObject({ code: 0, document: { unreleased: [] } });
  expect(groups(own)).toEqual([live]);
  // Run and machines are gone, and nobody but the cloud knows of the group.
  writeFileSync(join(state(own), "groups", "forgotten"), "");
  expect(await own.json(["clean", "--all", "--yes"])).toMatchObject({
    code: 0,
    document: { found: [], unreleased: [] },
  });
  expect(groups(own)).toEqual([live]);
});
