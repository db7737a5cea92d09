/** Write-ahead logging for the databases on this computer: the state and the simulated clouds. */
import type Database from "better-sqlite3";

/**
 * If two processes open a new file at the same time, SQLite reports "busy" to the second one at once. Here it does not
 * wait for its busy timeout.
 */
const TRIES = 100;
const PAUSE_MS = 20;

/**
 * Enables write-ahead logging.
 * @throws SQLite's error if that fails, or if the file stays busy.
 */
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
