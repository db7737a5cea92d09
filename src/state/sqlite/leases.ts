/**
 * Allows one operator per run at a time: each run has a lease with a fencing number. The number grows at every
 * takeover, and every write of the holder carries it. A launcher that froze and resumes after a takeover cannot write
 * any more.
 */
import { randomUUID } from "node:crypto";
import { hostname, uptime } from "node:os";

import { statement, type Db } from "./database.js";
import { isProcessAlive, pidSpace, processStart, uptimeId } from "./processes.js";
import { LeaseLostError, RunBusyError } from "../contract/errors.js";
import type { LeaseHolder } from "../contract/records.js";

/**
 * After this time without a renewal, the holder may be replaced. A holder whose process is known to be gone may be
 * replaced at once.
 */
export const LEASE_SILENCE_MS = 30_000;

/** The name of this launcher. Host names and pids are the same in several containers. */
const LAUNCHER = randomUUID();

interface LeaseRow {
  fence: number;
  holder: string | null;
  host: string;
  pid: number;
  process_start: string;
  pid_space: string;
  command: string;
  since: number;
  renewed_at: number;
  uptime_id: string;
  renewed_uptime: number;
}

/** The holder of the run's lease, or null. */
export function leaseHolder(db: Db, runId: number, now = Date.now()): LeaseHolder | null {
  const row = readLease(db, runId);
  if (!row || row.holder === null) return null;
  return { host: row.host, pid: row.pid, command: row.command, since: row.since, alive: isHolderAlive(row, now) };
}

/**
 * Takes the lease if it is free, or if its holder is dead or silent.
 * @returns the fencing number that every write must carry.
 * @throws RunBusyError if another launcher works on the run.
 */
export function acquireLease(db: Db, run: { id: number; name: string }, command: string): number {
  return db
    .transaction(() => {
      const now = Date.now();
      const row = readLease(db, run.id);
      if (row && row.holder !== null && isHolderAlive(row, now)) throw busy(run.name, row);
      const fence = (row?.fence ?? 0) + 1;
      db.prepare(
        `INSERT OR REPLACE INTO leases (run_id, fence, holder, host, pid, process_start, pid_space, command, since, renewed_at, uptime_id, renewed_uptime) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        run.id,
        fence,
        LAUNCHER,
        hostname(),
        process.pid,
        processStart(process.pid),
        pidSpace(),
        command,
        now,
        now,
        uptimeId(),
        uptimeMs(),
      );
      return fence;
    })
    .immediate();
}

function busy(run: string, row: LeaseRow): RunBusyError {
  const message =
    `run "${run}" is busy: ${row.command} (process ${row.pid} on ${row.host}) ` +
    `has worked on it since ${new Date(row.since).toISOString()}`;
  return new RunBusyError(
    message,
    "repeat the command when it has ended, or wait for it with --wait 5m; status, show, logs and list work at any time",
  );
}

/**
 * Called inside the transaction of each write.
 * @throws LeaseLostError if another launcher took the run over.
 */
export function assertLease(db: Db, runId: number, fence: number): void {
  const row = statement(db, "SELECT fence, holder FROM leases WHERE run_id = ?").get(runId) as
    { fence: number; holder: string | null } | undefined;
  if (row?.fence === fence && row.holder !== null) return;
  throw new LeaseLostError(
    "another launcher took over this run, because this launcher had stopped responding",
    "to see the run: bootlevel show",
  );
}

/** Renews the lease (heartbeat). */
export function renewLease(db: Db, runId: number, fence: number): void {
  db.transaction(() => {
    assertLease(db, runId, fence);
    db.prepare("UPDATE leases SET renewed_at = ?, renewed_uptime = ? WHERE run_id = ?").run(
      Date.now(),
      uptimeMs(),
      runId,
    );
  }).immediate();
}

/** Releases the run. The fencing number stays, so that it only ever grows. */
export function releaseLease(db: Db, runId: number, fence: number): void {
  db.prepare("UPDATE leases SET holder = NULL WHERE run_id = ? AND fence = ?").run(runId, fence);
}

function readLease(db: Db, runId: number): LeaseRow | undefined {
  return db.prepare<[number], LeaseRow>("SELECT * FROM leases WHERE run_id = ?").get(runId);
}

/**
 * Asks for the holder's process where its pid means the same as here. Everywhere else, such as in another container of
 * the same computer, only its silence counts. Silence is measured by the time since boot if both see the same one, so
 * that a jump of the wall clock makes no holder silent.
 */
function isHolderAlive(row: LeaseRow, now: number): boolean {
  const here = pidSpace();
  if (here !== "" && row.pid_space === here && !isProcessAlive(row.pid, row.process_start)) return false;
  const sameUptime = row.uptime_id !== "" && row.uptime_id === uptimeId();
  return (sameUptime ? uptimeMs() - row.renewed_uptime : Math.abs(now - row.renewed_at)) < LEASE_SILENCE_MS;
}

function uptimeMs(): number {
  return Math.round(uptime() * 1000);
}
