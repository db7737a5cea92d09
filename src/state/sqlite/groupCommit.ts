/**
 * Writes that come at the same time are one transaction: a commit waits for the disk, and a thousand services that end
 * together should wait for it once. Each writer waits until its own write is on disk, as if it had been alone, and
 * fails alone where the others are fine.
 */
import type { Db } from "./database.js";

interface Pending {
  readonly name: () => string;
  /** The writer's part, in the transaction. What it gives is handed to the writer when all is on disk. */
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommitParts {
  readonly db: Db;
  /** Proves, in each transaction, that it may be made. Throws if not. */
  readonly prove: () => void;
  /** Told before and after each write, by its name; undefined: nobody listens. */
  readonly probe: ((point: string) => void) | undefined;
  /** Stops a virtual time; called again, lets it go on. */
  readonly hold: () => () => void;
  /** Puts whatever the database cannot do in words with a remedy. */
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

  /** Does `work` in a transaction, in the order of the calls. Resolves with what it gives when it is on disk. */
  add<T>(name: () => string, work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.pending.push({ name, work, resolve: resolve as (value: unknown) => void, reject });
      if (this.pending.length > 1) return;
      const goOn = this.parts.hold();
      // Whatever became ready in this turn of the event loop writes with it.
      setImmediate(() => {
        this.flush();
        goOn();
      });
    });
  }

  /** Writes what is waiting, now. */
  flush(): void {
    const group = this.pending;
    this.pending = [];
    if (group.length === 0) return;
    for (const { name } of group) this.parts.probe?.(`before write ${name()}`);
    const failed = this.commit(group);
    // One that is wrong must not fail the others: nothing of the group is written yet.
    if (failed !== null && group.length > 1) for (const one of group) this.end([one], this.commit([one]));
    else this.end(group, failed);
  }

  /** @returns why nothing was written, or null. */
  private commit(group: readonly Pending[]): { readonly error: unknown } | null {
    try {
      this.transaction(() => {
        for (const one of group) this.results.set(one, one.work());
      });
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
