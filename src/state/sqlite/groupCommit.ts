/**
 * Group commit: concurrent writes share one transaction. A commit waits for the disk, and a thousand services that end
 * together should wait for it once. Each writer waits until its own write is on disk, and it fails alone if only its
 * write is invalid.
 */
import type { Db } from "./database.js";

interface Pending {
  readonly name: () => string;
  /** The write itself, inside the transaction. Its result is returned to the writer once everything is on disk. */
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommitParts {
  readonly db: Db;
  /** Verifies in each transaction that writing is allowed. Throws if not. */
  readonly prove: () => void;
  /** Called before and after each write with its name. Undefined: no probe. */
  readonly probe: ((point: string) => void) | undefined;
  /** Stops a virtual clock. The returned function lets it continue. */
  readonly hold: () => () => void;
  /** Called after each commit. */
  readonly committed: () => void;
  /** Explains database errors with a remedy. */
  readonly explain: (error: unknown) => unknown;
}

export class GroupCommit {
  private pending: Pending[] = [];
  private readonly results = new Map<Pending, unknown>();
  private readonly transaction: (work: () => void) => void;

  constructor(private readonly parts: GroupCommitParts) {
    const run = parts.db.transaction((work: () => void) => {
      parts.prove();
      work();
    });
    this.transaction = (work) => {
      run.immediate(work);
    };
  }

  /** Executes `work` in a transaction, in the order of the calls. Resolves with its result once it is on disk. */
  add<T>(name: () => string, work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.pending.push({ name, work, resolve: resolve as (value: unknown) => void, reject });
      if (this.pending.length > 1) return;
      const goOn = this.parts.hold();
      // All writes of this turn of the event loop share the transaction.
      setImmediate(() => {
        this.flush();
        goOn();
      });
    });
  }

  /** Executes the waiting writes now. */
  flush(): void {
    const group = this.pending;
    this.pending = [];
    if (group.length === 0) return;
    for (const { name } of group) this.parts.probe?.(`before write ${name()}`);
    const failed = this.commit(group);
    // An invalid write must not fail the others. The group was rolled back, so each write is tried alone.
    if (failed !== null && group.length > 1) for (const one of group) this.end([one], this.commit([one]));
    else this.end(group, failed);
  }

  /** @returns why nothing was written, or null. */
  private commit(group: readonly Pending[]): { readonly error: unknown } | null {
    try {
      this.transaction(() => {
        for (const one of group) this.results.set(one, one.work());
      });
      this.parts.committed();
      return null;
    } catch (error) {
      return { error: this.parts.explain(error) };
    }
  }

  private end(group: readonly Pending[], failed: { readonly error: unknown } | null): void {
    if (failed === null) for (const { name } of group) this.parts.probe?.(`after write ${name()}`);
    for (const one of group) {
      if (failed === null) one.resolve(this.results.get(one));
      else one.reject(failed.error);
      this.results.delete(one);
    }
  }
}
