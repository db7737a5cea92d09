/** Where a run's reports lie on the launcher, and which replica and machine each is of. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Home } from "../../state/files/home.js";

export interface ArchivePath {
  /** `web-2`, or `web-2.1` for that of an earlier machine: what its file is named after. */
  readonly archive: string;
  /** The replica. */
  readonly service: string;
  /** Of an earlier machine, its number; null for the newest report. */
  readonly generation: number | null;
  /** Absolute. */
  readonly path: string;
}

const NAME = /^([^.]+)(?:\.(\d+))?\.tar\.gz$/;

export function reportsDirectory(home: Home, uid: string): string {
  return join(home.runDirectory(uid), "reports");
}

/** Where a replica's newest report lies. */
export function archivePath(home: Home, uid: string, service: string): string {
  return join(reportsDirectory(home, uid), `${service}.tar.gz`);
}

/** Where the report of a replica's earlier machine is kept. */
export function earlierPath(home: Home, uid: string, service: string, generation: number): string {
  return join(reportsDirectory(home, uid), `${service}.${generation}.tar.gz`);
}

/** The archives of a run, by replica, the newest of each first. */
export function listArchives(home: Home, uid: string): ArchivePath[] {
  const directory = reportsDirectory(home, uid);
  const found = names(directory).flatMap((name) => {
    const [, service, generation] = NAME.exec(name) ?? [];
    if (service === undefined) return [];
    const number = generation === undefined ? null : Number(generation);
    return [{ archive: name.slice(0, -".tar.gz".length), service, generation: number, path: join(directory, name) }];
  });
  const age = ({ generation }: ArchivePath) => generation ?? Number.MAX_SAFE_INTEGER;
  return found.sort(
    (one, other) => one.service.localeCompare(other.service, "en", { numeric: true }) || age(other) - age(one),
  );
}

/**
 * Removes what a launcher that died has left of a replica's report. The run's lease is held: nobody else writes there.
 */
export function removeUnfinished(home: Home, uid: string, service: string): void {
  const directory = reportsDirectory(home, uid);
  for (const name of names(directory))
    if (name.startsWith(`.${service}.tar.gz.`)) rmSync(join(directory, name), { force: true });
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // nothing was collected yet
    throw error;
  }
}
