/** A rate limit with a burst (token bucket). It delays requests, or says that it would. */
import { setTimeout as delay } from "node:timers/promises";

export class RateLimit {
  /** When the last request was due, in milliseconds of `performance.now()`. */
  private due = Number.NEGATIVE_INFINITY;

  /**
   * @param perSecond sustained rate
   * @param burst how many requests may come at once
   */
  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {}

  /** Takes a turn if the request may proceed at once. @returns whether it may. */
  tryTurn(): boolean {
    const now = performance.now();
    const step = 1000 / this.perSecond;
    const due = Math.max(this.due + step, now - this.burst * step);
    if (due > now) return false;
    this.due = due;
    return true;
  }

  /**
   * Resolves when the request may proceed. Rejects with AbortError when `signal` aborts first.
   * @returns whether it had to wait.
   */
  async turn(signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    const step = 1000 / this.perSecond;
    this.due = Math.max(this.due + step, now - this.burst * step);
    const waits = this.due > now;
    if (waits) await delay(this.due - now, undefined, { signal });
    return waits;
  }
}
