/**
 * All writes to a run. Each is atomic, in a transaction that first verifies the lease. A launcher that lost the lease
 * cannot write.
 */
import type { Change } from "../contract/changes.js";
import type { NewRevision } from "../contract/revisions.js";
import type { NewStep, RunWriter } from "../contract/writer.js";
import { applyChange, type ChangeContext } from "./changes.js";
import { asStateError, statement } from "./database.js";
import { GroupCommit } from "./groupCommit.js";
import { acquireLease, assertLease, releaseLease, renewLease } from "./leases.js";
import { insertRevision } from "./revisions.js";
import type { StoreParts } from "./storeParts.js";

export class SqliteWriter implements RunWriter {
  private readonly commits: GroupCommit;
  /** A failed write that no caller awaited. */
  private broken: Promise<unknown> | null = null;

  private constructor(
    private readonly parts: StoreParts,
    readonly run: RunWriter["run"],
    readonly fence: number,
  ) {
    const { db, probe, clock, assertInPlace } = parts;
    const prove = (): void => {
      assertInPlace();
      assertLease(db, run.id, fence);
    };
    this.commits = new GroupCommit({
      db,
      prove,
      probe,
      hold: () => clock.hold?.() ?? (() => undefined),
      explain: (error) => asStateError(error, db.name),
    });
  }

  /**
   * Takes the run's lease. `command` is shown to people (`boot`, `terminate`).
   * @throws RunBusyError if another launcher works on the run.
   */
  static take(parts: StoreParts, run: RunWriter["run"], command: string): SqliteWriter {
    return new SqliteWriter(parts, run, acquireLease(parts.db, run, command));
  }

  async renew(): Promise<void> {
    this.told(() => renewLease(this.parts.db, this.run.id, this.fence));
  }

  async release(): Promise<void> {
    this.commits.flush();
    this.told(() => releaseLease(this.parts.db, this.run.id, this.fence));
  }

  async prove(): Promise<void> {
    this.told(() => {
      this.parts.assertInPlace();
      assertLease(this.parts.db, this.run.id, this.fence);
    });
  }

  write(...changes: readonly Change[]): Promise<void> {
    return this.transaction(
      () => changes.map((change) => change.kind).join("+"),
      (context) => {
        for (const change of changes) applyChange(context, change);
      },
    );
  }

  expect(write: Promise<unknown>): void {
    write.catch(() => {
      this.broken ??= write;
    });
  }

  beginStep({ serviceId, step, attempt, machineKey, content, directoryPrefix, event }: NewStep): Promise<number> {
    return this.transaction(
      () => "step-begun",
      (context) => {
        const { db, now } = context;
        const insert = statement(
          db,
          "INSERT INTO steps (service_id, step, attempt, machine_key, content, started_at) VALUES (?, ?, ?, ?, ?, ?)",
        );
        const id = Number(insert.run(serviceId, step, attempt, machineKey, content ?? null, now).lastInsertRowid);
        if (directoryPrefix !== null)
          statement(db, "UPDATE steps SET directory = ? || id WHERE id = ?").run(directoryPrefix, id);
        if (step === "boot") statement(db, "UPDATE services SET booted = 1 WHERE id = ?").run(serviceId);
        applyChange(context, { kind: "event", event });
        return id;
      },
    );
  }

  storeRevision(revision: NewRevision): Promise<void> {
    return this.transaction(
      () => "revision",
      (context) => {
        insertRevision(context, revision);
      },
    );
  }

  /**
   * Executes writes in the order of the calls. Concurrent writes are committed together. It creates one promise per
   * write, because ten thousand services may wait at the same time.
   */
  private transaction<T>(name: () => string, work: (context: ChangeContext) => T): Promise<T> {
    const { db, cipher, clock } = this.parts;
    // The failed write rejects, and so does every write after it.
    if (this.broken !== null) return this.broken as Promise<never>;
    return this.commits.add(name, () => work({ db, cipher, run: this.run, now: clock.now() }));
  }

  /** Explains database errors with a remedy. */
  private told<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw asStateError(error, this.parts.db.name);
    }
  }
}
