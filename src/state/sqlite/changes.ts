/** Applies changes to a run's record, one statement for each kind of change. */
import type { RunEvent } from "../../model/events.js";
import type { Change } from "../contract/changes.js";
import type { Cipher } from "./cipher.js";
import { noteConcealed } from "./concealed.js";
import { insertRunKey } from "./contacts.js";
import { insertAbort } from "./requests.js";
import { statement, type Db } from "./database.js";
import { bytesOfText, isText } from "../../text/surrogateEscape.js";
import { keepFormer } from "./formerSecrets.js";
import type { RunRecord } from "../contract/records.js";
import { attributePlace } from "./runReader.js";

export interface ChangeContext {
  readonly db: Db;
  readonly cipher: Cipher;
  readonly run: Pick<RunRecord, "id" | "uid">;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Applies one change. The caller has opened the transaction and verified the lease. */
export function applyChange({ db, cipher, run, now }: ChangeContext, change: Change): void {
  const write = (sql: string, ...values: unknown[]) => void statement(db, sql).run(...values);
  switch (change.kind) {
    case "run":
      if (change.state === "terminated") write("DELETE FROM run_keys WHERE run_id = ?", run.id);
      return write(
        "UPDATE runs SET state = ?, goal = coalesce(?, goal), updated_at = ? WHERE id = ?",
        change.state,
        change.goal ?? null,
        now,
        run.id,
      );
    case "service":
      return write(
        "UPDATE services SET state = ?, failure = ?, updated_at = ? WHERE id = ?",
        change.state,
        change.failure ? JSON.stringify(change.failure) : null,
        now,
        change.id,
      );
    case "due":
      return write(
        "UPDATE services SET due = ?, due_reason = ? WHERE id = ?",
        change.due?.stage ?? null,
        change.due?.reason ?? null,
        change.id,
      );
    case "described":
      return write(
        "UPDATE services SET revision = (SELECT max(revision) FROM plans WHERE run_id = ?) WHERE id = ?",
        run.id,
        change.id,
      );
    case "removed":
      return write("UPDATE services SET removed = 1, due = NULL, due_reason = NULL WHERE id = ?", change.id);
    case "launch-intent":
      return write(
        "INSERT INTO machines (run_id, service_id, cloud, key, generation, state, requested_at) VALUES (?, ?, ?, ?, ?, 'intended', ?) ON CONFLICT (key) DO UPDATE SET requested_at = excluded.requested_at WHERE driver_id IS NULL",
        run.id,
        change.serviceId,
        change.cloud,
        change.key,
        change.generation,
        now,
      );
    case "launch-repeated":
      return write("UPDATE machines SET requested_at = ? WHERE key = ? AND driver_id IS NULL", now, change.key);
    case "launched": {
      const { driverId, host, privateHost, hostname, access } = change.machine;
      return write(
        "UPDATE machines SET state = 'running', driver_id = ?, host = ?, private_host = ?, hostname = ?, access = ?, launched_at = coalesce(launched_at, ?) WHERE key = ?",
        driverId,
        host,
        privateHost,
        hostname,
        access,
        now,
        change.key,
      );
    }
    case "met":
      return write("UPDATE machines SET met_at = coalesce(met_at, ?) WHERE key = ?", now, change.key);
    case "ended":
      return write(
        "UPDATE machines SET state = 'ended', ended_at = ?, end_reason = ? WHERE key = ? AND state <> 'ended'",
        now,
        change.reason,
        change.key,
      );
    case "booted":
      return write("UPDATE services SET booted = 1 WHERE id = ?", change.id);
    case "unbooted":
      return write("UPDATE services SET booted = 0 WHERE id = ?", change.id);
    case "attribute": {
      const { serviceId, name, kind, secret, value, step = null } = change.attribute;
      const encoding = isText(value) ? null : "base64";
      const text = encoding === null ? value : bytesOfText(value).toString(encoding);
      const place = attributePlace(run.uid, serviceId, name);
      const before = storedAttribute(db, serviceId, name);
      keepFormer({ db, cipher, run }, { sealed: before?.sealed, place }, text);
      if (secret && typeof before?.value === "string") noteConcealed(db);
      const sealed = secret ? cipher.seal(text, place) : null;
      return write(
        "INSERT OR REPLACE INTO attributes (service_id, name, kind, secret, value, sealed, encoding, step) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        serviceId,
        name,
        kind,
        secret ? 1 : 0,
        secret ? null : text,
        sealed,
        encoding,
        step,
      );
    }
    case "stale-outputs":
      return write(
        "UPDATE attributes SET stale = 1 WHERE service_id = ? AND kind = 'output' AND step IS coalesce(?, step)",
        change.id,
        change.step,
      );
    case "forget-outputs":
      for (const { name, sealed } of staleSecrets(db, change.id))
        if (!change.except.includes(name))
          keepFormer({ db, cipher, run }, { sealed, place: attributePlace(run.uid, change.id, name) }, null);
      return write(
        "DELETE FROM attributes WHERE service_id = ? AND kind = 'output' AND stale = 1 AND name NOT IN (SELECT value FROM json_each(?))",
        change.id,
        JSON.stringify(change.except),
      );
    case "said":
      return write("UPDATE services SET said = ? WHERE id = ?", change.text, change.id);
    case "answered":
      for (const { program, request } of change.requests)
        write(
          "INSERT OR IGNORE INTO answered_requests (run_id, program, request) VALUES (?, ?, ?)",
          run.id,
          program,
          request,
        );
      return;
    case "abort":
      insertAbort(db, run, change.abort, { answered: true });
      return;
    case "request-answered":
      return write(
        "UPDATE requests SET answered_at = ?, answer = ?, sealed = NULL WHERE id = ? AND run_id = ? AND answered_at IS NULL",
        now,
        JSON.stringify(change.answer),
        change.id,
        run.id,
      );
    case "step-ended":
      write(
        "DELETE FROM answered_requests WHERE run_id = ? AND program = (SELECT directory FROM steps WHERE id = ?)",
        run.id,
        change.id,
      );
      return write(
        "UPDATE steps SET ended_at = ?, outcome = ?, exit_code = ? WHERE id = ? AND ended_at IS NULL",
        now,
        change.outcome,
        change.exitCode,
        change.id,
      );
    case "event": {
      const { at, type, ...data } = change.event;
      return write(
        "INSERT INTO events (run_id, at, type, service, data) VALUES (?, ?, ?, ?, ?)",
        run.id,
        at,
        type,
        serviceOf(change.event),
        JSON.stringify(data),
      );
    }
    case "host-key":
      return write(
        "INSERT OR IGNORE INTO host_keys (scope, address, key, pinned_at) VALUES (?, ?, ?, ?)",
        change.scope,
        change.address,
        change.key,
        now,
      );
    case "contact":
      return write(
        "INSERT OR IGNORE INTO contacts (machine, stage, at) VALUES (?, ?, ?)",
        change.machine,
        change.stage,
        now,
      );
    case "authorized":
      return write("UPDATE machines SET authorized = ? WHERE key = ?", JSON.stringify(change.keys), change.key);
    case "run-key":
      return insertRunKey(db, cipher, run, change.pair, now);
  }
}

function storedAttribute(
  db: Db,
  serviceId: number,
  name: string,
): { readonly value: string | null; readonly sealed: Buffer | null } | undefined {
  const stored = statement(db, "SELECT value, sealed FROM attributes WHERE service_id = ? AND name = ?");
  return stored.get(serviceId, name) as ReturnType<typeof storedAttribute>;
}

function staleSecrets(db: Db, serviceId: number): { name: string; sealed: Buffer }[] {
  return statement(
    db,
    "SELECT name, sealed FROM attributes WHERE service_id = ? AND kind = 'output' AND stale = 1 AND sealed IS NOT NULL",
  ).all(serviceId) as { name: string; sealed: Buffer }[];
}

function serviceOf(event: RunEvent): string | null {
  if ("service" in event) return event.service;
  return event.type === "service-failed" ? event.failure.service : null;
}
