/**
 * Reconstructs which programs waited because `concurrency` others ran. The log does not record when a program got its
 * slot. But slots are granted in the order in which steps began and are released when steps end, so the queue can be
 * replayed.
 */
import type { StepName } from "../../model/events.js";

/** A step in the queue. */
export interface Waiting {
  readonly startMs: number;
  /** When its program got a slot; null while it waits. */
  placedMs: number | null;
}

const WITH_PROGRAM: ReadonlySet<StepName> = new Set(["setup", "boot", "ready", "execute", "report", "terminate"]);

export class Places {
  private free: number;
  private readonly queue: Waiting[] = [];
  private next = 0;
  private consistent = true;

  /** @param concurrency how many programs run at once */
  constructor(concurrency: number) {
    this.free = concurrency;
  }

  /** A step began. */
  enter(step: StepName, waiting: Waiting): void {
    if (!WITH_PROGRAM.has(step) || this.free > 0) waiting.placedMs = waiting.startMs;
    else this.queue.push(waiting);
    if (WITH_PROGRAM.has(step) && waiting.placedMs !== null) this.free -= 1;
  }

  /** A step ended; its slot goes to the one that has waited longest. */
  leave(step: StepName, waiting: Waiting, atMs: number): void {
    if (!WITH_PROGRAM.has(step)) return;
    // A program that never ran cannot end: the plan's concurrency was different then, and the replay is invalid.
    if (waiting.placedMs === null) this.consistent = false;
    const first = this.queue[this.next];
    if (first === undefined) {
      this.free += 1;
      return;
    }
    first.placedMs = Math.max(first.startMs, atMs);
    this.next += 1;
  }

  /** How many of the step's `ms` milliseconds it was queued; 0 if unknown. */
  waited({ startMs, placedMs }: Waiting, ms: number): number {
    return this.consistent ? Math.min(ms, (placedMs ?? Infinity) - startMs) : 0;
  }
}
