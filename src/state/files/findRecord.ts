/** What a home directory holds before its database is opened: a command must not begin a second record beside lost runs. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { StateError } from "../contract/errors.js";
import { cannotUse, type Home } from "./home.js";

export interface FoundRecord {
  /** Whether there is a database with anything in it. */
  readonly hasDatabase: boolean;
  /** Whether the directory holds this installation's files only, or does not exist. */
  readonly isOwn: boolean;
  /** A folder that only an installation with runs has, such as `runs`; null without one, or beside a database. */
  readonly trace: string | null;
}

/** What bootlevel itself puts there, and what a file system of its own begins with. */
const OWN =
  /^(bootlevel[.]db(-wal|-shm|-journal)?|(installation|secret[.]key)([.]\d+[.][0-9a-f]+)?|bundles|runs|drivers|lost[+]found)$/;

/** Looks, and touches nothing. @throws StateError if the directory cannot be read. */
export function findRecord(home: Home): FoundRecord {
  try {
    const names = list(home.directory);
    const hasDatabase = hasContent(home.database) || hasContent(`${home.database}-wal`);
    const trace = hasDatabase ? null : findTrace(home.directory);
    return { hasDatabase, isOwn: names.every((name) => OWN.test(name)), trace };
  } catch (error) {
    throw cannotUse(home.directory, error);
  }
}

/**
 * Makes sure that a directory without a database is one to begin an installation in, or to find none in.
 * @throws StateError for a directory with files of runs, and for one with other files.
 */
export function checkUnused({ directory, database }: Home, { isOwn, trace }: FoundRecord): void {
  if (trace !== null)
    throw new StateError(
      `the state database ${database} is missing or empty, but ${trace} has files of runs`,
      "restore the database from a copy. If there is none, find the machines with: bootlevel clean --all; then move " +
        `${directory} away`,
    );
  if (!isOwn)
    throw new StateError(
      `${directory} holds other files and no state of bootlevel`,
      `give bootlevel a directory of its own, such as BOOTLEVEL_HOME=${join(directory, "bootlevel")}`,
    );
}

function findTrace(directory: string): string | null {
  const runs = join(directory, "runs");
  const drivers = join(directory, "drivers");
  const claims = list(drivers).map((driver) => join(drivers, driver, "claims"));
  return [runs, ...claims].find((folder) => list(folder).some((name) => !name.startsWith("."))) ?? null;
}

/** The names in a folder; none if it is missing or no folder. */
function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

function hasContent(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
