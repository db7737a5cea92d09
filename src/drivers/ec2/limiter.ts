/**
 * Keeps to the rates that EC2 grants an account in a region, so that large launches are not turned away: a bucket of tokens for each kind of
 * call, shared by all drivers of the process that speak to the same place.
 */
import type { Clock } from "../../time/clock.js";

/** Tokens that a full bucket has, and tokens that come back each second, as EC2 documents its request rates. */
const BUCKETS = {
  run: { size: 5, perSecond: 2 },
  describe: { size: 100, perSecond: 20 },
  change: { size: 50, perSecond: 5 },
} as const;

/** RunInstances; questions; every other change. */
export type CallKind = keyof typeof BUCKETS;

const shared = new WeakMap<Clock, Map<string, Limiter>>();

/**
 * The limiter of a place.
 * @param clock what its buckets fill by; a rehearsal's time fills no real bucket.
 * @param place names who is asked: endpoint, region and account.
 */
export function limiterOf(clock: Clock, place: string): Limiter {
  const places = shared.get(clock) ?? new Map<string, Limiter>();
  shared.set(clock, places);
  const limiter = places.get(place) ?? new Limiter(clock);
  places.set(place, limiter);
  return limiter;
}

export class Limiter {
  private readonly buckets: Record<CallKind, { tokens: number; filledAt: number }>;

  constructor(private readonly clock: Clock) {
    const full = (kind: CallKind) => ({ tokens: BUCKETS[kind].size, filledAt: clock.now() });
    this.buckets = { run: full("run"), describe: full("describe"), change: full("change") };
  }

  /** Resolves when a call of this kind may be made, in the order of asking. Rejects with an `AbortError` when `signal` aborts before. */
  async take(kind: CallKind, signal: AbortSignal): Promise<void> {
    const bucket = this.filled(kind);
    bucket.tokens -= 1; // below zero it says how many wait
    if (bucket.tokens >= 0) return;
    try {
      await this.clock.sleep((-bucket.tokens / BUCKETS[kind].perSecond) * 1000, signal);
    } catch (error) {
      bucket.tokens += 1;
      throw error;
    }
  }

  /** The cloud refused a call of this kind: others use the account too, and its bucket is as good as empty. */
  drain(kind: CallKind): void {
    const bucket = this.filled(kind);
    bucket.tokens = Math.min(bucket.tokens, 0);
  }

  private filled(kind: CallKind): { tokens: number; filledAt: number } {
    const { size, perSecond } = BUCKETS[kind];
    const bucket = this.buckets[kind];
    const now = this.clock.now();
    bucket.tokens = Math.min(size, bucket.tokens + ((now - bucket.filledAt) / 1000) * perSecond);
    bucket.filledAt = now;
    return bucket;
  }
}
