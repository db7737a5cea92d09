/**
 * Aborts of runs: whoever wants one says so in the record, without the run's lease, and the launcher that works on the
 * run finds it there.
 */
import type { Db } from "./database.js";
import { statement } from "./database.js";
import type { Abort, RunRecord } from "../contract/records.js";

/** Writes an abort down; an earlier one stays. @returns the one that is in force, and whether it is this one. */
export function insertAbort(db: Db, run: Pick<RunRecord, "id">, abort: Abort): { abort: Abort; fresh: boolean } {
  return db
    .transaction(() => {
      const known = readAbort(db, run.id);
      if (known !== null) return { abort: known, fresh: false };
      statement(db, "UPDATE runs SET abort = ?, updated_at = ? WHERE id = ?").run(
        JSON.stringify(abort),
        abort.at,
        run.id,
      );
      const { at, reason, origin } = abort;
      statement(db, "INSERT INTO events (run_id, at, type, service, data) VALUES (?, ?, 'aborted', NULL, ?)").run(
        run.id,
        at,
        JSON.stringify({ reason, origin }),
      );
      return { abort, fresh: true };
    })
    .immediate();
}

/** Takes an abort back. @returns the one that there was, or null. */
export function removeAbort(db: Db, run: Pick<RunRecord, "id">, at: number): Abort | null {
  return db
    .transaction(() => {
      const known = readAbort(db, run.id);
      if (known === null) return null;
      statement(db, "UPDATE runs SET abort = NULL, updated_at = ? WHERE id = ?").run(at, run.id);
      statement(
        db,
        "INSERT INTO events (run_id, at, type, service, data) VALUES (?, ?, 'abort-cancelled', NULL, ?)",
      ).run(run.id, at, JSON.stringify({ reason: known.reason }));
      return known;
    })
    .immediate();
}

export function readAbort(db: Db, runId: number): Abort | null {
  const row = statement(db, "SELECT abort FROM runs WHERE id = ?").get(runId) as { abort: string | null } | undefined;
  return row === undefined || row.abort === null ? null : (JSON.parse(row.abort) as Abort);
}

/** A number that changes when another process has written to the database: what it costs to ask is next to nothing. */
export function dataVersion(db: Db): number {
  return db.pragma("data_version", { simple: true }) as number;
}
