/**
 * Reconstructs which programs waited because `concurrency` others ran. The log does not record when a program got its
 * slot. But slots are granted in the order in which steps began and are released when steps end, so the queue can be
 * replayed.
 */
import type { StepName } from "../../model/events.js";

/** A step in the queue. */
export interface QueuedStep {
  readonly startMs: number;
  /** When its program got a slot; null while it waits. */
  grantedMs: number | null;
}

const WITH_PROGRAM: ReadonlySet<StepName> = new Set(["setup", "boot", "ready", "execute", "report", "terminate"]);

export class SlotQueue {
  private free: number;
  private readonly queue: QueuedStep[] = [];
  private next = 0;
  private consistent = true;

  /** @param concurrency how many programs run at once */
  constructor(concurrency: number) {
    this.free = concurrency;
  }

  /** A step began. */
  enter(step: StepName, waiting: QueuedStep): void {
    if (!WITH_PROGRAM.has(step) || this.free > 0) waiting.grantedMs = waiting.startMs;
    else this.queue.push(waiting);
    if (WITH_PROGRAM.has(step) && waiting.grantedMs !== null) this.free -= 1;
  }

  /** A step ended; its slot goes to the one that has waited longest. */
  leave(step: StepName, waiting: QueuedStep, atMs: number): void {
    if (!WITH_PROGRAM.has(step)) return;
    // A program that never ran cannot end: the plan's concurrency was different then, and the replay is invalid.
    if (waiting.grantedMs === null) this.consistent = false;
    const first = this.queue[this.next];
    if (first === undefined) {
      this.free += 1;
      return;
    }
    first.grantedMs = Math.max(first.startMs, atMs);
    this.next += 1;
  }

  /** How many of the step's `ms` milliseconds it was queued; 0 if unknown. */
  waited({ startMs, grantedMs }: QueuedStep, ms: number): number {
    return this.consistent ? Math.min(ms, (grantedMs ?? Infinity) - startMs) : 0;
  }
}
