/** The database's shape: made once, by however many at the same time; one from before the first release is refused. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { migrations, UNRELEASED } from "../../../src/state/sqlite/migrations.js";
import { StateError } from "../../../src/state/contract/errors.js";
import { openStore } from "../../../src/state/openStore.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const fileIn = (home: string): string => join(home, "bootlevel.db");

function version(home: string): number {
  const db = new Database(fileIn(home));
  const found = db.pragma("user_version", { simple: true }) as number;
  db.close();
  return found;
}

test("a new database has the newest shape", async () => {
  const home = temporaryDirectory();
  await (await openStore(home)).close();
  expect(version(home)).toBe(UNRELEASED + migrations.length);
});

test("a database of the newest shape opens with all that is in it", async () => {
  const home = temporaryDirectory();
  const first = await openStore(home);
  const mark = await first.installation();
  await first.close();
  const again = await openStore(home);
  expect(await again.installation()).toBe(mark);
  expect(version(home)).toBe(UNRELEASED + migrations.length);
  await again.close();
});

test.each([1, 2, 3, 4, 5, 6, 7])(
  "a database of the unreleased shape %i is refused with a remedy, and left as it is",
  async (old) => {
    const home = temporaryDirectory();
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const db = new Database(fileIn(home));
    db.exec("CREATE TABLE runs (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, plan TEXT NOT NULL) STRICT");
    db.pragma("journal_mode = WAL");
    db.pragma(`user_version = ${old}`);
    db.close();
    const before = readFileSync(fileIn(home));
    const refused = await openStore(home).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StateError);
    expect(refused).toMatchObject({
      message: expect.stringContaining(`from before bootlevel's first release (version ${old}, this one knows 8 to 8)`),
      remedy: expect.stringContaining(`move ${home} away`),
    });
    expect(readFileSync(fileIn(home))).toEqual(before);
    expect(version(home)).toBe(old);
  },
);
