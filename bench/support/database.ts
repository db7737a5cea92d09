/** Watches how long the database is at work: every group of writes, and with `watchReads` every question. */
import { GroupCommit } from "../../src/state/sqlite/groupCommit.js";
import type { Store } from "../../src/state/contract/store.js";

/** What the database has done so far. */
export interface DatabaseWork {
  /** Milliseconds, by the clock that was given. */
  ms: number;
  commits: number;
}

/**
 * Watches this process's writes from now on.
 * @param now milliseconds: of processor time where it may wait for others, of time where it is busy all the time (that
 *   costs less to ask)
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
