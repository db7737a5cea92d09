/** status looks, and changes nothing. */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";
import Database from "better-sqlite3";

import { eventually, isAlive } from "../support/eventually.js";
import { installation } from "../support/installation.js";
import { filesBelow } from "../support/traces.js";

/** All rows of all tables. */
function content(home: string): Record<string, unknown[]> {
  const db = new Database(join(home, "bootlevel.db"), { readonly: true });
  try {
    const tables = db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all()
      .map(({ name }) => name);
    return Object.fromEntries(tables.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).all()]));
  } finally {
    db.close();
  }
}

const plan = (facts: string) =>
  `plan: look
levels:
  - name: one
    services:
      server: { replicas: 2, boot: { command: "nohup sleep 3300 >/dev/null 2>&1 & echo $! > '${facts}/'$BOOTLEVEL_SERVICE; echo $! > ~/pid" }, ready: { program: ready.sh, args: ["\${self.replica}"], every: 100ms, timeout: 10s } }
      plain: {}
      guest: { host: "\${base.host}", ready: { command: "test -d ~" } }
`.replace(
    "  - name: one\n",
    '  - name: zero\n    services: { base: { outputs: [{ name: token, secret: true }], boot: { command: "echo token=abcdefgh >> $BOOTLEVEL_OUTPUT" } } }\n  - name: one\n',
  );
const ready = (facts: string) =>
  `#!/bin/sh\necho "$BOOTLEVEL_SERVICE" >> '${facts}/looked'\necho looking for the server; grep -q 3300 "/proc/$(cat "$HOME/pid")/cmdline" || { echo "server $1 is not there"; exit 4; }\n`;

test("status runs the ready programs again and changes no row of the database, no log and no file", async () => {
  const own = installation();
  expect(
    await own.call(["boot", own.plan(plan(own.facts), { "ready.sh": ready(own.facts) }), "--name", "look"]),
  ).toMatchObject({ code: 0, stderr: "" });
  const files = () => filesBelow(own.home).filter((file) => !/bootlevel\.db/.test(file));
  const before = content(own.home);
  const filesBefore = files();
  const logsBefore = (await own.json(["logs", "look"])).document;
  const ended = await own.call(["status", "look"]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toMatch(/Healthy: 5 of 5 services ready/);
  expect((own.fact("looked") ?? "").trim().split("\n").sort()).toEqual([
    "server-1",
    "server-1",
    "server-2",
    "server-2",
  ]);
  expect(content(own.home)).toEqual(before);
  expect((await own.json(["logs", "look"])).document).toEqual(logsBefore);
  expect(files()).toEqual(filesBefore);
});

test("a service that was killed is shown as not well, with its last lines, and gives 1", async () => {
  const own = installation();
  expect(
    await own.call(["boot", own.plan(plan(own.facts), { "ready.sh": ready(own.facts) }), "--name", "look"]),
  ).toMatchObject({ code: 0 });
  process.kill(Number(own.fact("server-2")), "SIGKILL");
  await eventually("the server is gone", () => !isAlive(Number(own.fact("server-2"))));
  const before = content(own.home);
  const { code, document } = await own.json(["status", "look"]);
  expect(code).toBe(1);
  expect(document).toMatchObject({ state: "ready", healthy: false });
  const services = Object.fromEntries(
    document.services.map((service: { service: string }) => [service.service, service]),
  );
  expect(services["server-1"]).toMatchObject({ healthy: true, machine: "running", exitCode: 0, lastLines: [] });
  expect(services["server-2"]).toMatchObject({ healthy: false, machine: "running", exitCode: 4, state: "ready" });
  expect(services["server-2"].lastLines).toContain("server 2 is not there");
  expect(services["guest"]).toMatchObject({ healthy: true, machine: "host" });
  const forPeople = await own.call(["status", "look"]);
  expect(forPeople.code).toBe(1);
  expect(forPeople.stdout).toMatch(/server-2 +✖ unhealthy[\s\S]*server 2 is not there[\s\S]*Unhealthy: 4 of 5/);
  expect(content(own.home)).toEqual(before);
});

test("a machine whose claim somebody has removed is said to be of no use, and its ready program is not run elsewhere", async () => {
  const own = installation();
  expect(
    await own.call(["boot", own.plan(plan(own.facts), { "ready.sh": ready(own.facts) }), "--name", "look"]),
  ).toMatchObject({ code: 0 });
  const shown = (await own.json(["show", "look"])).document.levels[1].services[0];
  process.kill(Number(own.fact("server-1")), "SIGKILL");
  rmSync(join(own.home, "drivers", "local", "claims", encodeURIComponent(shown.host)));
  const { code, document } = await own.json(["status", "look"]);
  expect(code).toBe(1);
  expect(document.services[1]).toMatchObject({
    service: "server-1",
    healthy: false,
    machine: "stopped",
    exitCode: null,
  });
  expect(
    (own.fact("looked") ?? "")
      .trim()
      .split("\n")
      .filter((name) => name === "server-1"),
  ).toHaveLength(1);
  expect(await own.call(["terminate", "look", "--yes"])).toMatchObject({ code: 0 });
});

test("status and show work after the plan's directory was deleted", async () => {
  const own = installation();
  const folder = own.plan(plan(own.facts), { "ready.sh": ready(own.facts) });
  expect(await own.call(["boot", folder, "--name", "look"])).toMatchObject({ code: 0 });
  rmSync(folder, { recursive: true });
  expect(await own.call(["status", "look"])).toMatchObject({ code: 0 });
  expect(await own.call(["show", "look"])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "look", "--yes"])).toMatchObject({ code: 0 });
});

test("a run can be named by its number", async () => {
  const own = installation();
  const folder = own.plan("plan: num\nlevels: [{ name: one, services: { a: {} } }]\n");
  for (const name of ["first", "second"])
    expect(await own.call(["boot", folder, "--name", name])).toMatchObject({ code: 0 });
  expect((await own.json(["status", "2"])).document.run).toBe("second");
  expect((await own.json(["show", "1"])).document.run).toBe("first");
});
