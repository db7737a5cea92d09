/** Write-ahead logging for the databases of this computer: the state, and the simulated clouds. */
import type Database from "better-sqlite3";

/**
 * Two processes that meet at a new file: SQLite tells the second one at once that it is busy, and does not wait as it
 * does elsewhere.
 */
const TRIES = 100;
const PAUSE_MS = 20;

/** Turns write-ahead logging on. @throws the error of SQLite's if that cannot be, or the file is busy for long. */
export function useWal(db: Database.Database): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      db.pragma("journal_mode = WAL");
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "SQLITE_BUSY" || attempt === TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
