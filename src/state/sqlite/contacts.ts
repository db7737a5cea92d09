/**
 * Records of the first connection to machines: the authorized keys, the progress of the connection, and the run's own
 * key.
 */
import type { AuthorizedKey, ContactStage, RunSshKey } from "../contract/contacts.js";
import type { Cipher } from "./cipher.js";
import { statement, type Db } from "./database.js";

export function readContact(db: Db, machine: string): Set<ContactStage> {
  const rows = db
    .prepare<[string], { stage: ContactStage }>("SELECT stage FROM contacts WHERE machine = ?")
    .all(machine);
  return new Set(rows.map(({ stage }) => stage));
}

/**
 * The keys that the machine with that key was told to authorize. Null if none were recorded before the launch request.
 */
export function readAuthorized(db: Db, machineKey: string): AuthorizedKey[] | null {
  const row = db
    .prepare<[string], { authorized: string | null }>("SELECT authorized FROM machines WHERE key = ?")
    .get(machineKey);
  return row?.authorized ? (JSON.parse(row.authorized) as AuthorizedKey[]) : null;
}

/** @throws StateError if it was encrypted with another key. */
export function readRunKey(
  db: Db,
  cipher: Cipher,
  run: { readonly id: number; readonly uid: string },
): RunSshKey | null {
  const row = db
    .prepare<[number], { public: string; sealed: Buffer }>("SELECT public, sealed FROM run_keys WHERE run_id = ?")
    .get(run.id);
  return row === undefined
    ? null
    : { publicKey: row.public, privateKey: cipher.open(row.sealed, runKeyPlace(run.uid)) };
}

/** Keeps an existing key, because machines may already have it. */
export function insertRunKey(
  db: Db,
  cipher: Cipher,
  run: { readonly id: number; readonly uid: string },
  { publicKey, privateKey }: RunSshKey,
  now: number,
): void {
  statement(db, "INSERT OR IGNORE INTO run_keys (run_id, public, sealed, made_at) VALUES (?, ?, ?, ?)").run(
    run.id,
    publicKey,
    cipher.seal(privateKey, runKeyPlace(run.uid)),
    now,
  );
}

function runKeyPlace(uid: string): string {
  return `run ${uid}, ssh key`;
}
