/**
 * What is recorded of the first contact with machines: whom they let in, how far the contact came, and a run's own key.
 */
import type { Cipher } from "./cipher.js";
import { statement, type Db } from "./database.js";

/**
 * "trusted": the machine has made host keys of its own and they are pinned, so the key that it was given is refused;
 * "prepared": its own first boot (cloud-init) has been waited for.
 */
export type ContactStage = "trusted" | "prepared";

/** A key that a machine was told to let in, and where the launcher had it from. */
export interface AuthorizedKey {
  /** `ssh-ed25519 AAAA…` */
  readonly key: string;
  /** For people: a file, the agent. */
  readonly label: string;
}

/** A key pair that bootlevel made for the machines of one run. */
export interface RunKey {
  readonly publicKey: string;
  /** In OpenSSH's format; encrypted in the database. */
  readonly privateKey: string;
}

export function readContact(db: Db, machine: string): Set<ContactStage> {
  const rows = db
    .prepare<[string], { stage: ContactStage }>("SELECT stage FROM contacts WHERE machine = ?")
    .all(machine);
  return new Set(rows.map(({ stage }) => stage));
}

/** Whom the machine of that key was told to let in; null when nothing was written down before it was asked for. */
export function readAuthorized(db: Db, machineKey: string): AuthorizedKey[] | null {
  const row = db
    .prepare<[string], { authorized: string | null }>("SELECT authorized FROM machines WHERE key = ?")
    .get(machineKey);
  return row?.authorized ? (JSON.parse(row.authorized) as AuthorizedKey[]) : null;
}

/** @throws StateError if it was encrypted with another key. */
export function readRunKey(db: Db, cipher: Cipher, run: { readonly id: number; readonly uid: string }): RunKey | null {
  const row = db
    .prepare<[number], { public: string; sealed: Buffer }>("SELECT public, sealed FROM run_keys WHERE run_id = ?")
    .get(run.id);
  return row === undefined
    ? null
    : { publicKey: row.public, privateKey: cipher.open(row.sealed, runKeyPlace(run.uid)) };
}

/** The first one stays: machines may have been given it already. */
export function insertRunKey(
  db: Db,
  cipher: Cipher,
  run: { readonly id: number; readonly uid: string },
  { publicKey, privateKey }: RunKey,
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
