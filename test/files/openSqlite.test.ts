/** A database whose native part does not load says why, and what to do. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { isNativePartError, openSqlite } from "../../src/files/openSqlite.js";
import { temporaryDirectory } from "../support/temporaryDirectory.js";

const nativeBinding = createRequire(import.meta.url).resolve("better-sqlite3/build/Release/better_sqlite3.node");

function failureOf(nativeBinding: string): unknown {
  const file = join(temporaryDirectory(), "a.db");
  try {
    openSqlite(file, { nativeBinding }).close();
    return null;
  } catch (error) {
    return error;
  }
}

test("a native part that does not load is told with the version of Node.js and the remedy", () => {
  const broken = join(temporaryDirectory(), "better_sqlite3.node");
  writeFileSync(broken, "no shared object");
  const error = failureOf(broken);
  if (!isNativePartError(error)) throw error;
  expect(error.message).toMatch(
    new RegExp(`^the native part of better-sqlite3, .* does not load in Node\\.js ${process.versions.node}: `),
  );
  expect(error.remedy).toContain("npm rebuild better-sqlite3");
});

test("a native part that loads opens the file; other errors stay SQLite's own", () => {
  expect(failureOf(nativeBinding)).toBeNull();
  expect(() => openSqlite(join(temporaryDirectory(), "none", "a.db"), {})).toThrow("directory does not exist");
});
