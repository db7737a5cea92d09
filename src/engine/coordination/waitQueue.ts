/**
 * The queue of waiting programs. A wait ends as soon as its value arrives or cannot arrive any more, on a timeout, and
 * when the run is aborted.
 */
import type { Abort } from "../../state/contract/records.js";
import type { BlReply } from "../../machines/coordination/blRequest.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";
import { abortWords } from "../run/abort.js";
import { BL_EXIT, refusal } from "./replies.js";
import type { Edge } from "./waitCycles.js";

/** One wait of a program. */
export interface Wait {
  /** The service whose program waits. */
  readonly service: string;
  /** What it waits for, for messages. */
  readonly what: string;
  /** The keys that wake it; it checks again then. */
  readonly keys: readonly string[];
  /** The reply, or null as long as there is none. */
  check(): BlReply | null;
  /** What it waits for, as edges of the wait graph. */
  dependencies(): readonly Edge[];
  /** More detail for the timeout message; "" for none. */
  timeoutDetail(): string;
  /** Milliseconds; null: no timeout. */
  readonly timeoutMs: number | null;
  readonly ignoreAbort: boolean;
  /** Aborted when nobody waits for the reply any more. */
  readonly gone: AbortSignal;
}

interface Waiting {
  readonly wait: Wait;
  end(reply: BlReply): void;
}

export class WaitQueue {
  private readonly waiting = new Set<Waiting>();
  private readonly byKey = new Map<string, Set<Waiting>>();

  /**
   * @param aborted returns the run's abort, or null
   * @param circle returns the deadlock that a timed-out wait is or was in, for its message; null without one
   * @param ended called with each wait and its reply
   */
  constructor(
    private readonly aborted: () => Abort | null,
    private readonly circle: (wait: Wait) => string | null,
    private readonly ended: (wait: Wait, reply: BlReply) => void,
  ) {}

  get any(): boolean {
    return this.waiting.size > 0;
  }

  /** All waits. */
  *all(): Generator<Wait> {
    for (const { wait } of this.waiting) yield wait;
  }

  /** The reply that is available without waiting, or null. */
  immediateReply(wait: Wait): BlReply | null {
    const reply = this.abortReply(wait) ?? wait.check();
    if (reply !== null) this.ended(wait, reply);
    return reply;
  }

  /** Waits. Resolves with the reply. */
  add(wait: Wait): Promise<BlReply> {
    const now = this.immediateReply(wait);
    if (now !== null) return Promise.resolve(now);
    return new Promise((resolve) => {
      const timer =
        wait.timeoutMs === null
          ? null
          : setTimeout(
              () => {
                waiting.end(wait.check() ?? this.lateReply(wait));
              },
              Math.min(wait.timeoutMs, LONGEST_TIMER_MS),
            );
      const onGone = (): void => {
        waiting.end(refusal(BL_EXIT.noLauncher, "nobody waits for this answer"));
      };
      const waiting: Waiting = {
        wait,
        end: (reply) => {
          if (timer !== null) clearTimeout(timer);
          wait.gone.removeEventListener("abort", onGone);
          this.remove(waiting);
          this.ended(wait, reply);
          resolve(reply);
        },
      };
      wait.gone.addEventListener("abort", onGone, { once: true });
      this.waiting.add(waiting);
      for (const key of wait.keys) this.byKey.set(key, (this.byKey.get(key) ?? new Set()).add(waiting));
      if (wait.gone.aborted) onGone();
    });
  }

  /** Checks the waits for a key again. */
  wake(key: string): void {
    for (const waiting of [...(this.byKey.get(key) ?? [])]) {
      const reply = waiting.wait.check();
      if (reply !== null) waiting.end(reply);
    }
  }

  /** Ends every wait for which `reply` returns a reply. */
  endWhere(reply: (wait: Wait) => BlReply | null): void {
    for (const waiting of [...this.waiting]) {
      const found = reply(waiting.wait);
      if (found !== null) waiting.end(found);
    }
  }

  /** Ends the waits that an abort ends. */
  abort(): void {
    this.endWhere((wait) => this.abortReply(wait));
  }

  private abortReply(wait: Wait): BlReply | null {
    const abort = wait.ignoreAbort ? null : this.aborted();
    return abort === null ? null : refusal(BL_EXIT.aborted, abortWords(abort));
  }

  private lateReply(wait: Wait): BlReply {
    const more = [wait.timeoutDetail(), this.circle(wait) ?? ""].filter((words) => words !== "");
    return refusal(BL_EXIT.timedOut, [`waited ${(wait.timeoutMs ?? 0) / 1000} s for ${wait.what}`, ...more].join("; "));
  }

  private remove(waiting: Waiting): void {
    this.waiting.delete(waiting);
    for (const key of waiting.wait.keys) {
      const others = this.byKey.get(key);
      others?.delete(waiting);
      if (others?.size === 0) this.byKey.delete(key);
    }
  }
}
