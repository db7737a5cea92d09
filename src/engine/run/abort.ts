/**
 * The abort of a run, as seen by the launcher that works on it: requested by a program of the run or from outside.
 * Running programs are ended, nothing new starts, and every waiting `bl` gets an answer. The first reason stays.
 */
import { setMaxListeners } from "node:events";

import type { RunEvent } from "../../model/events.js";
import type { Abort } from "../../state/contract/records.js";
import type { RunRequest } from "../../state/contract/requests.js";
import type { RunKey, Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";
import type { Handled } from "./requests.js";

export interface RunAbortParts {
  readonly store: Store;
  readonly run: RunKey;
  /** Null for read-only commands: they abort nothing. */
  readonly writer: RunWriter | null;
  readonly tell: (event: RunEvent) => void;
}

export class RunAbort {
  private readonly controller = new AbortController();

  private constructor(
    private readonly parts: RunAbortParts,
    public current: Abort | null,
  ) {
    setMaxListeners(0, this.controller.signal);
    if (current !== null) this.controller.abort();
  }

  static async open(parts: RunAbortParts): Promise<RunAbort> {
    return new RunAbort(parts, await parts.store.abortOf(parts.run));
  }

  /** Aborts when the run is aborted. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /**
   * Aborts the run, unless it is already aborted. Resolves once the abort is on disk; programs are ended after that.
   */
  async begin(abort: Abort): Promise<void> {
    const { writer } = this.parts;
    if (writer === null || this.current !== null) return;
    await writer.write({ kind: "abort", abort });
    // Another abort may have come first: the recorded reason counts.
    this.enter((await this.parts.store.abortOf(this.parts.run)) ?? abort);
  }

  /** Handles an abort requested from outside. Its event is already recorded. */
  requested({ data, origin, at }: RunRequest): Handled {
    this.enter({ reason: String(data["reason"]), origin, at });
    return { answer: { status: "accepted", message: "programs that run are ended, and nothing new begins" } };
  }

  private enter(abort: Abort): void {
    if (this.current !== null) return;
    this.current = abort;
    this.parts.tell({ at: abort.at, type: "aborted", reason: abort.reason, origin: abort.origin });
    this.controller.abort();
  }
}

/** Who aborted the run and why, for people. */
export function abortWords({ reason, origin }: Pick<Abort, "reason" | "origin">): string {
  return `the run was aborted by ${origin}: ${reason}`;
}
