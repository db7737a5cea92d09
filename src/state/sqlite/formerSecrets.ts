/**
 * Secret values that a run had before: of variables before a reload, of outputs before they were set again. They are
 * kept, encrypted, so that they stay redacted: machines and logs may still show them.
 */
import type { SecretReading } from "../contract/store.js";
import type { RunRecord } from "../contract/records.js";
import { isStateError } from "../contract/errors.js";
import type { Cipher } from "./cipher.js";
import { statement, type Db } from "./database.js";

type Run = Pick<RunRecord, "id" | "uid">;

/** Keeps the value at a place that is about to get another value, or none. A value is kept once. */
export function keepFormer(
  { db, cipher, run }: { readonly db: Db; readonly cipher: Cipher; readonly run: Run },
  { sealed, place }: { readonly sealed: Buffer | null | undefined; readonly place: string },
  next: string | null,
): void {
  if (sealed === null || sealed === undefined) return;
  const value = cipher.open(sealed, place);
  if (value === next || value === "") return;
  const fingerprint = cipher.fingerprint(value, formerPlace(run.uid));
  statement(db, "INSERT OR IGNORE INTO former_secrets (run_id, fingerprint, sealed) VALUES (?, ?, ?)").run(
    run.id,
    fingerprint,
    cipher.seal(value, formerPlace(run.uid)),
  );
}

/** The former secrets of a run, in the form in which they were stored. */
export function readFormerSecrets(db: Db, cipher: Cipher, run: Run, secrets: SecretReading): string[] {
  const rows = db
    .prepare<[number], { sealed: Buffer }>("SELECT sealed FROM former_secrets WHERE run_id = ?")
    .all(run.id);
  return rows.flatMap(({ sealed }) => {
    try {
      return [cipher.open(sealed, formerPlace(run.uid))];
    } catch (error) {
      if (secrets === "optional" && isStateError(error)) return [];
      throw error;
    }
  });
}

function formerPlace(uid: string): string {
  return `run ${uid}, former secret`;
}
