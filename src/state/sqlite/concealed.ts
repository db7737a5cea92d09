/**
 * Values that were stored in clear and turned out to be secret. The database overwrites them (`secure_delete`), but the
 * write-ahead log still holds them until it is emptied.
 */
import type { Db } from "./database.js";

/** How long to wait for other commands that read the log, in milliseconds. They are short; the next commit tries again. */
const WAIT_MS = 200;

const concealed = new WeakSet<Db>();

/** Notes that a value was replaced by its encrypted form. */
export function noteConcealed(db: Db): void {
  concealed.add(db);
}

/** Empties the write-ahead log if it holds such a value. Called after a commit. */
export function eraseConcealed(db: Db): void {
  if (!concealed.has(db)) return;
  const before = db.pragma("busy_timeout", { simple: true }) as number;
  db.pragma(`busy_timeout = ${WAIT_MS}`);
  const [result] = db.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
  db.pragma(`busy_timeout = ${before}`);
  if (result?.busy === 0) concealed.delete(db);
}
