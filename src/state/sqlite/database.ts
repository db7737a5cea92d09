/** Opens the database file: private, WAL, every commit synced to disk, migrated to this version's schema. */
import { closeSync, openSync, statSync } from "node:fs";

import type Database from "better-sqlite3";

import { openSqlite } from "../../files/openSqlite.js";
import { useWal } from "../../files/writeAheadLog.js";
import { prepareHome, type Home } from "../files/home.js";
import { migrations, UNRELEASED } from "./migrations.js";
import { StateError, isStateError } from "../contract/errors.js";

export type Db = Database.Database;

/**
 * Opens the database of `home`, and creates it if it does not exist.
 * @throws StateError if the file is not a database, is damaged, is not writable, or was written by a newer bootlevel.
 * Nothing is overwritten.
 */
export function openDatabase(home: Home): Db {
  prepareHome(home);
  try {
    // better-sqlite3 would create the file with the umask's mode. Its -wal and -shm files take the mode of this file.
    closeSync(openSync(home.database, "a", 0o600));
    const db = openSqlite(home.database, { timeout: 10_000 });
    useWal(db);
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    migrate(db, home.database);
    return db;
  } catch (error) {
    throw asStateError(error, home.database);
  }
}

/**
 * Returns a check that the database file was not removed or replaced. On such a file, writes seem to succeed.
 * @throws StateError from the check, if it was.
 */
export function watchFile(file: string): () => void {
  const opened = inode(file);
  return () => {
    if (inode(file) === opened) return;
    throw new StateError(
      `the state database ${file} was removed or replaced while this command used it`,
      "restore it; to find machines that are missing in the record: bootlevel clean",
    );
  };
}

function inode(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Converts SQLite's errors to sentences with a remedy. Other errors stay as they are. */
export function asStateError(error: unknown, file: string): unknown {
  const code = (error as { code?: unknown }).code;
  if (isStateError(error) || typeof code !== "string") return error;
  const remedy = remedies.find(([pattern]) => pattern.test(code))?.[1];
  if (remedy === undefined) return error;
  return new StateError(`the state database ${file} cannot be used: ${(error as Error).message} (${code})`, remedy, {
    cause: error,
  });
}

const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /^SQLITE_(NOTADB|CORRUPT)/,
    "the file is damaged or not a database; nothing was overwritten. Move it away, or restore it and its -wal file",
  ],
  [
    /^(SQLITE_(READONLY|CANTOPEN|PERM|AUTH)|EACCES|EROFS|EPERM|EISDIR)/,
    "make the file and its directory writable, or point BOOTLEVEL_HOME at another directory",
  ],
  [/^(SQLITE_FULL|ENOSPC)/, "the disk is full: make room and repeat the command; everything recorded so far is safe"],
  [/^SQLITE_BUSY/, "another process has locked the database: repeat the command later"],
  [/^SQLITE_IOERR/, "the disk reported an error: check the system's log, make room, and repeat the command"],
];

function migrate(db: Db, file: string): void {
  const newest = UNRELEASED + migrations.length;
  const version = () => db.pragma("user_version", { simple: true }) as number;
  if (version() > newest) {
    throw new StateError(
      `the state database ${file} was written by a newer bootlevel (version ${version()}, this one knows ${newest})`,
      "use the newer bootlevel",
    );
  }
  if (version() > 0 && version() <= UNRELEASED) {
    throw new StateError(
      `the state database ${file} has a schema from before bootlevel's first release ` +
        `(version ${version()}, this one knows ${UNRELEASED + 1} to ${newest})`,
      "terminate its runs with the bootlevel that wrote it, then move the file away; a new one is created",
    );
  }
  if (version() === newest) return;
  // Take the lock before reading the version again: two commands may migrate at the same time.
  db.transaction(() => {
    for (let step = Math.max(version(), UNRELEASED); step < newest; step += 1) {
      db.exec(migrations[step - UNRELEASED] as string);
      db.pragma(`user_version = ${step + 1}`);
    }
  }).immediate();
}

const statements = new WeakMap<Db, Map<string, Database.Statement>>();

/** The prepared statement for this SQL. Each is prepared once per database. */
export function statement(db: Db, sql: string): Database.Statement {
  const known = statements.get(db) ?? new Map<string, Database.Statement>();
  statements.set(db, known);
  const prepared = known.get(sql) ?? db.prepare(sql);
  known.set(sql, prepared);
  return prepared;
}
