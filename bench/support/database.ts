/** Measures how long the database works: every group of writes, and with `watchReads` every read. */
import { GroupCommit } from "../../src/state/sqlite/groupCommit.js";
import type { Store } from "../../src/state/contract/store.js";

/** The database's work so far. */
export interface DatabaseWork {
  /** Milliseconds, by the given clock. */
  ms: number;
  commits: number;
}

/**
 * Measures this process's writes from now on.
 * @param now a clock in milliseconds: CPU time if the process may wait; wall-clock time, which is cheaper to read, if
 * it is always busy
 */
export function watchWrites(now: () => number): {
  readonly work: DatabaseWork;
  readonly watchReads: (store: Store) => void;
} {
  const work: DatabaseWork = { ms: 0, commits: 0 };
  let depth = 0;
  const timed = <T>(what: () => T): T => {
    if (depth > 0) return what();
    depth += 1;
    const start = now();
    try {
      return what();
    } finally {
      depth -= 1;
      work.ms += now() - start;
    }
  };
  const flush = Object.getOwnPropertyDescriptor(GroupCommit.prototype, "flush")?.value as (this: GroupCommit) => void;
  GroupCommit.prototype.flush = function (this: GroupCommit) {
    work.commits += 1;
    timed(() => {
      flush.call(this);
    });
  };
  return {
    work,
    watchReads: (store) => {
      watchMethods(store, timed);
    },
  };
}

function watchMethods(store: Store, timed: <T>(what: () => T) => T): void {
  const methods = store as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    if (typeof method === "function" && !["clock", "probe", "random", "close"].includes(name))
      methods[name] = (...words: unknown[]) => timed(() => (method as (...given: unknown[]) => unknown)(...words));
  }
}
