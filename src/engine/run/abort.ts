/**
 * The abort of a run, as the launcher that works on it sees it: by a program of the run, or by somebody who has written
 * one into the record. Programs that run are ended, nothing new begins, and every `bl` that waits is told. The first
 * reason stays.
 */
import { setMaxListeners } from "node:events";

import type { RunEvent } from "../../model/events.js";
import type { Abort } from "../../state/contract/records.js";
import type { RunWriter } from "../../state/sqlite/runWriter.js";
import type { Store } from "../../state/sqlite/store.js";

/** Milliseconds between two looks at whether anybody else has written to the database. */
const LOOK_MS = 200;

export interface RunAbortParts {
  readonly store: Store;
  readonly run: { readonly id: number; readonly uid: string };
  /** Null for commands that only read: they take no abort, and look for none. */
  readonly writer: RunWriter | null;
  readonly tell: (event: RunEvent) => void;
}

export class RunAbort {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  private version: number;

  private constructor(
    private readonly parts: RunAbortParts,
    public current: Abort | null,
  ) {
    setMaxListeners(0, this.controller.signal);
    this.version = parts.store.dataVersion();
    if (current !== null) this.controller.abort();
    else if (parts.writer !== null)
      this.timer = setInterval(() => {
        void this.look();
      }, LOOK_MS).unref();
  }

  static async open(parts: RunAbortParts): Promise<RunAbort> {
    return new RunAbort(parts, await parts.store.abortOf(parts.run));
  }

  /** Aborted when the run is. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Aborts the run, unless it is aborted already. Resolves when that is on disk; programs are ended then. */
  async begin(abort: Abort): Promise<void> {
    const { writer } = this.parts;
    if (writer === null || this.current !== null) return;
    await writer.write({ kind: "abort", abort });
    // Somebody else may have been first: what the record says is the reason.
    this.enter((await this.parts.store.abortOf(this.parts.run)) ?? abort);
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private enter(abort: Abort): void {
    if (this.current !== null) return;
    this.close();
    this.current = abort;
    this.parts.tell({ at: abort.at, type: "aborted", reason: abort.reason, origin: abort.origin });
    this.controller.abort();
  }

  private async look(): Promise<void> {
    const { store, run, tell } = this.parts;
    try {
      const version = store.dataVersion();
      if (version === this.version) return;
      this.version = version;
      const abort = await store.abortOf(run);
      if (abort !== null) this.enter(abort);
    } catch (error) {
      // The database is closed or broken: the next write says so to whoever can do something about it.
      this.close();
      tell({
        at: Date.now(),
        type: "warning",
        service: null,
        message: `nobody looks for an abort any more: ${(error as Error).message}`,
      });
    }
  }
}

/** For people: by whom, and why. */
export function abortWords({ reason, origin }: Pick<Abort, "reason" | "origin">): string {
  return `the run was aborted by ${origin}: ${reason}`;
}
