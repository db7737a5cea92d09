/**
 * Every write to a run: all of it or nothing, in a transaction that first proves the lease. A launcher that lost it can
 * write nothing.
 */
import type { RunEvent, StepName } from "../../model/events.js";
import { applyChange, type Change, type ChangeContext } from "./changes.js";
import { asStateError, statement } from "./database.js";
import { GroupCommit } from "./groupCommit.js";
import { acquireLease, assertLease, releaseLease, renewLease } from "./leases.js";
import type { RunRecord } from "../contract/records.js";
import { insertRevision, type NewRevision } from "./revisions.js";
import type { StoreParts } from "./storeParts.js";

/** A step that begins. */
export interface NewStep {
  readonly serviceId: number;
  readonly step: StepName;
  readonly attempt: number;
  readonly machineKey: string | null;
  /** What a setup step makes of its machine, hashed. */
  readonly content?: string;
  /** Where its program will lie on the machine, told the step's number; null for a step that runs none. */
  readonly directory: (id: number) => string | null;
  readonly event: RunEvent;
}

export class RunWriter {
  private readonly commits: GroupCommit;
  /** A write that failed, and that nobody waited for. */
  private broken: Promise<unknown> | null = null;

  private constructor(
    private readonly parts: StoreParts,
    readonly run: Pick<RunRecord, "id" | "uid" | "name">,
    private readonly fence: number,
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
   * Takes the run's lease for `command` (for people: `boot`, `terminate`).
   * @throws RunBusyError when another launcher works on the run.
   */
  static take(parts: StoreParts, run: Pick<RunRecord, "id" | "uid" | "name">, command: string): RunWriter {
    return new RunWriter(parts, run, acquireLease(parts.db, run, `${process.pid}`, command));
  }

  async renew(): Promise<void> {
    this.told(() => renewLease(this.parts.db, this.run.id, this.fence));
  }

  async release(): Promise<void> {
    this.commits.flush();
    this.told(() => releaseLease(this.parts.db, this.run.id, this.fence));
  }

  /**
   * Makes sure that the run is still this launcher's: asked right before every call to a cloud. @throws LeaseLostError
   */
  prove(): void {
    this.told(() => {
      this.parts.assertInPlace();
      assertLease(this.parts.db, this.run.id, this.fence);
    });
  }

  /** Writes changes, all of them or none. */
  write(...changes: readonly Change[]): Promise<void> {
    return this.transaction(
      () => changes.map((change) => change.kind).join("+"),
      (context) => {
        for (const change of changes) applyChange(context, change);
      },
    );
  }

  /** A write that nobody waits for: should it fail, the next one does. */
  expect(write: Promise<unknown>): void {
    write.catch(() => {
      this.broken ??= write;
    });
  }

  /**
   * Writes down that a step begins, so that its program can be found again whatever happens to the launcher. A service
   * whose boot program is about to be started counts as booted: from now on its terminate program has something to do.
   * @returns the step's number, unique in the database.
   */
  beginStep({ serviceId, step, attempt, machineKey, content, directory, event }: NewStep): Promise<number> {
    return this.transaction(
      () => "step-begun",
      (context) => {
        const insert = statement(
          context.db,
          "INSERT INTO steps (service_id, step, attempt, machine_key, content, started_at) VALUES (?, ?, ?, ?, ?, ?)",
        );
        const id = Number(
          insert.run(serviceId, step, attempt, machineKey, content ?? null, context.now).lastInsertRowid,
        );
        const place = directory(id);
        if (place !== null) statement(context.db, "UPDATE steps SET directory = ? WHERE id = ?").run(place, id);
        if (step === "boot") statement(context.db, "UPDATE services SET booted = 1 WHERE id = ?").run(serviceId);
        applyChange(context, { kind: "event", event });
        return id;
      },
    );
  }

  /** Stores a changed plan, and what it means for each service. */
  storeRevision(revision: NewRevision): Promise<void> {
    return this.transaction(
      () => "revision",
      (context) => {
        insertRevision(context, revision);
      },
    );
  }

  /**
   * Writes in the order of the calls; what is written at the same time is committed together. One promise a write,
   * since ten thousand services wait for theirs at the same time.
   */
  private transaction<T>(name: () => string, work: (context: ChangeContext) => T): Promise<T> {
    const { db, cipher, clock } = this.parts;
    // It rejects: so does whatever is written after it.
    if (this.broken !== null) return this.broken as Promise<never>;
    return this.commits.add(name, () => work({ db, cipher, run: this.run, now: clock.now() }));
  }

  /** Whatever the database cannot do, in words with a remedy. */
  private told<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw asStateError(error, this.parts.db.name);
    }
  }
}
