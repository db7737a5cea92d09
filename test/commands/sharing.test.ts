/** Several at once: readers beside a boot, two boots in one home. */
import { join } from "node:path";

import { test, expect } from "@jest/globals";
import Database from "better-sqlite3";

import { eventually, until } from "../support/eventually.js";
import { installation } from "../support/installation.js";

test("readers of the database and every reading command do not disturb a boot", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: read\nlevels:\n${Array.from({ length: 8 }, (_, index) => `  - { name: l${index}, services: { s${index}: { replicas: 4, boot: { command: "echo x" }, ready: { command: "sleep 0.1" } } } }\n`).join("")}  - { name: last, services: { z: { boot: { command: "touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done" } } } }\n`,
  );
  const boot = own.start(["boot", folder, "--name", "read"]);
  const database = join(own.home, "bootlevel.db");
  const db = await eventually("the run is recorded", () => {
    try {
      const reader = new Database(database, { readonly: true, fileMustExist: true });
      if (
        reader.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").get() &&
        reader.prepare("SELECT 1 FROM runs").get()
      )
        return reader;
      reader.close();
    } catch (error) {
      if (!/unable to open|does not exist|locked|readonly/.test((error as Error).message)) throw error;
    }
    return null;
  });
  // A read transaction that stays open, and one after the other beside it.
  db.exec("BEGIN");
  let reads = 0;
  await until(() => {
    db.prepare("SELECT * FROM events").all();
    const other = new Database(database, { readonly: true });
    other.prepare("SELECT count(*) FROM services").get();
    other.close();
    reads += 1;
    return own.fact("begun") !== null;
  });
  for (const words of [["list"], ["show", "read"], ["logs", "read"], ["events", "read"]])
    expect(await own.call(words)).toMatchObject({ code: 0, stderr: "" });
  expect((await own.call(["status", "read"])).code).toBe(1);
  own.plan("", { go: "" }, "facts");
  expect(await boot.ended).toMatchObject({ code: 0, stderr: "" });
  db.exec("COMMIT");
  db.close();
  expect(reads).toBeGreaterThan(1);
});

test("two runs boot at the same time in one home: each waits for the other, and both get ready", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: both\nlevels:\n  - name: one\n    services:\n      a: { replicas: 5, timeout: 20s, boot: { command: "touch '${own.facts}/'$BOOTLEVEL_RUN-$BOOTLEVEL_REPLICA; until [ $(ls '${own.facts}' | wc -l) = 10 ]; do sleep 0.05; done" } }\n`,
  );
  const ends = await Promise.all(["first", "second"].map((name) => own.call(["boot", folder, "--name", name])));
  expect(ends).toMatchObject([
    { code: 0, stderr: "" },
    { code: 0, stderr: "" },
  ]);
  const hosts = (await Promise.all(["first", "second"].map((name) => own.json(["show", name])))).flatMap(
    ({ document }) => document.levels[0].services.map(({ host }: { host: string }) => host),
  );
  expect(new Set(hosts).size).toBe(10);
  const downs = await Promise.all(["first", "second"].map((name) => own.call(["terminate", name, "--yes"])));
  expect(downs).toMatchObject([
    { code: 0, stderr: "" },
    { code: 0, stderr: "" },
  ]);
});

test("of several boots under one name at the same moment exactly one gets it", async () => {
  const own = installation();
  const folder = own.plan("plan: race\nlevels: [{ name: one, services: { a: { boot: { command: 'true' } } } }]\n");
  const ends = await Promise.all([1, 2, 3, 4].map(() => own.call(["boot", folder, "--name", "race"])));
  expect(ends.map(({ code }) => code).sort()).toEqual([0, 2, 2, 2]);
  expect((await own.json(["list", "--all"])).document.runs).toHaveLength(1);
});

test("two terminates of one run at the same moment: one works, the other is told that it is busy or that all is over", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: race\nlevels: [{ name: one, services: { a: { terminate: { command: "echo x >> '${own.facts}/ran'; sleep 0.5" } } } }]\n`,
  );
  expect(await own.call(["boot", folder, "--name", "race"])).toMatchObject({ code: 0 });
  const ends = await Promise.all([1, 2].map(() => own.call(["terminate", "race", "--yes"])));
  expect(ends.map(({ code }) => code).sort()).toEqual([0, 3]);
  expect(own.fact("ran")).toBe("x\n");
});
