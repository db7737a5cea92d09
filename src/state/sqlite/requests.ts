/** Requests to the holder of a run's lease. The abort in force is one of them. */
import type { Abort, RunRecord } from "../contract/records.js";
import { FOR_PRESENT_HOLDER, type NewRequest, type RequestAnswer, type RunRequest } from "../contract/requests.js";
import { statement, type Db } from "./database.js";

type Run = Pick<RunRecord, "id">;

/** All but the payload, which may be large. */
const COLUMNS = "id, run_id, kind, data, origin, at, fence, answered_at, answer, withdrawn_at";

interface Row {
  id: number;
  run_id: number;
  kind: string;
  data: string;
  origin: string;
  at: number;
  fence: number | null;
  answered_at: number | null;
  answer: string | null;
  withdrawn_at: number | null;
}

/**
 * Records a request. An earlier abort stays in force.
 * @param sealed its payload, encrypted.
 * @returns the request in force, and whether it is this one.
 */
export function insertRequest(
  db: Db,
  run: Run,
  request: NewRequest,
  sealed: Buffer | null = null,
): { request: RunRequest; fresh: boolean } {
  return db
    .transaction(() => {
      const { kind, origin, at } = request;
      const known = kind === "abort" ? readAbortRequest(db, run.id) : null;
      if (known !== null) return { request: known, fresh: false };
      const id = insert(db, run, request, sealed);
      if (request.kind === "abort") insertEvent(db, run, "aborted", at, { reason: request.data.reason, origin });
      return { request: readRequest(db, id) as RunRequest, fresh: true };
    })
    .immediate();
}

/** Records an abort in the caller's transaction, like `insertRequest`. */
export function insertAbort(
  db: Db,
  run: Run,
  { reason, origin, at }: Abort,
  { answered }: { readonly answered: boolean },
): void {
  const { request, fresh } = insertRequest(db, run, { kind: "abort", data: { reason }, origin, at });
  if (!fresh || !answered) return;
  const answer: RequestAnswer = { status: "accepted", message: "aborted by the holder of the run itself" };
  statement(db, "UPDATE requests SET answered_at = ?, answer = ? WHERE id = ?").run(
    at,
    JSON.stringify(answer),
    request.id,
  );
}

/**
 * Withdraws a request.
 * @returns its present state, or null if it does not exist or was withdrawn before.
 */
export function withdrawRequest(db: Db, id: number, at: number): RunRequest | null {
  return db
    .transaction(() => {
      const { changes } = statement(
        db,
        "UPDATE requests SET withdrawn_at = ?, sealed = NULL WHERE id = ? AND withdrawn_at IS NULL",
      ).run(at, id);
      if (changes === 0) return null;
      const request = readRequest(db, id) as RunRequest;
      if (request.kind === "abort")
        insertEvent(db, { id: request.runId }, "abort-cancelled", at, { reason: abortFrom(request).reason });
      return request;
    })
    .immediate();
}

/**
 * Withdraws the abort in force.
 * @returns it, or null if there was none.
 */
export function removeAbort(db: Db, run: Run, at: number): Abort | null {
  return db
    .transaction(() => {
      const known = readAbortRequest(db, run.id);
      if (known === null) return null;
      withdrawRequest(db, known.id, at);
      return abortFrom(known);
    })
    .immediate();
}

/** The abort in force, or null. */
export function readAbort(db: Db, runId: number): Abort | null {
  const request = readAbortRequest(db, runId);
  return request === null ? null : abortFrom(request);
}

export function readRequest(db: Db, id: number): RunRequest | null {
  const row = statement(db, `SELECT ${COLUMNS} FROM requests WHERE id = ?`).get(id) as Row | undefined;
  return row === undefined ? null : toRequest(row);
}

/** The payload of a request, encrypted, or null. */
export function readSealedPayload(db: Db, id: number): Buffer | null {
  const read = statement(db, "SELECT sealed FROM requests WHERE id = ?").pluck();
  return (read.get(id) as Buffer | null | undefined) ?? null;
}

/** Requests that are neither answered nor withdrawn, oldest first. */
export function readOpenRequests(db: Db, runId: number): RunRequest[] {
  const rows = statement(
    db,
    `SELECT ${COLUMNS} FROM requests WHERE run_id = ? AND answered_at IS NULL AND withdrawn_at IS NULL ORDER BY id`,
  ).all(runId) as Row[];
  return rows.map(toRequest);
}

function readAbortRequest(db: Db, runId: number): RunRequest | null {
  const row = statement(
    db,
    `SELECT ${COLUMNS} FROM requests WHERE run_id = ? AND kind = 'abort' AND withdrawn_at IS NULL`,
  ).get(runId) as Row | undefined;
  return row === undefined ? null : toRequest(row);
}

function insert(db: Db, run: Run, { kind, data, origin, at }: NewRequest, sealed: Buffer | null): number {
  const fence = FOR_PRESENT_HOLDER.has(kind)
    ? (statement(db, "SELECT fence FROM leases WHERE run_id = ?").pluck().get(run.id) as number | undefined)
    : undefined;
  const { lastInsertRowid } = statement(
    db,
    "INSERT INTO requests (run_id, kind, data, origin, at, fence, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)",
  ).run(run.id, kind, JSON.stringify(data), origin, at, fence ?? null, sealed);
  return Number(lastInsertRowid);
}

function insertEvent(db: Db, run: Run, type: string, at: number, data: Readonly<Record<string, unknown>>): void {
  statement(db, "UPDATE runs SET updated_at = ? WHERE id = ?").run(at, run.id);
  statement(db, "INSERT INTO events (run_id, at, type, service, data) VALUES (?, ?, ?, NULL, ?)").run(
    run.id,
    at,
    type,
    JSON.stringify(data),
  );
}

/** Reads an abort from its request. */
function abortFrom({ data, origin, at }: RunRequest): Abort {
  return { reason: String(data["reason"]), origin, at };
}

function toRequest(row: Row): RunRequest {
  return {
    id: row.id,
    runId: row.run_id,
    kind: row.kind,
    data: JSON.parse(row.data) as Record<string, unknown>,
    origin: row.origin,
    at: row.at,
    fence: row.fence,
    answeredAt: row.answered_at,
    answer: row.answer === null ? null : (JSON.parse(row.answer) as RequestAnswer),
    withdrawnAt: row.withdrawn_at,
  };
}
