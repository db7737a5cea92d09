/**
 * Slows whoever asks for too much down: each may have so many at once, and so many a second from then on. Nothing is
 * refused, it only comes later.
 */
import { setTimeout as delay } from "node:timers/promises";

export class RateLimit {
  /** When the last one was due, in milliseconds of `performance.now()`. */
  private due = Number.NEGATIVE_INFINITY;

  /** @param perSecond in the long run; `burst` of them may come at once. */
  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {}

  /** Resolves when it is one's turn. Rejects with AbortError when `signal` aborts before. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const step = 1000 / this.perSecond;
    this.due = Math.max(this.due + step, now - this.burst * step);
    if (this.due > now) await delay(this.due - now, undefined, { signal });
  }
}
