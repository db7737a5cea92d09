/** A rate limit with a burst (token bucket). It delays requests and never refuses one. */
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

  /** Resolves when the request may proceed. Rejects with AbortError when `signal` aborts first. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const step = 1000 / this.perSecond;
    this.due = Math.max(this.due + step, now - this.burst * step);
    if (this.due > now) await delay(this.due - now, undefined, { signal });
  }
}
