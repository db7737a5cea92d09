/**
 * Keeps to the rates that EC2 grants an account in a region, so that large launches are not turned away: a bucket of
 * tokens for each kind of call, shared by all drivers of the process that speak to the same place.
 */
import type { Clock } from "../../time/clock.js";

/**
 * Tokens that a full bucket has, and tokens that come back each second, as EC2 documents them ("Request throttling for
 * the Amazon EC2 API"). Calls cost one token; machines that are launched or terminated cost one each of a bucket of
 * their own.
 */
const BUCKETS = {
  run: { size: 5, perSecond: 2 },
  launched: { size: 1000, perSecond: 2 },
  describe: { size: 100, perSecond: 20 },
  terminate: { size: 100, perSecond: 5 },
  terminated: { size: 1000, perSecond: 20 },
  tag: { size: 100, perSecond: 10 },
  change: { size: 50, perSecond: 5 },
} as const;

/**
 * RunInstances and the machines that it launches; questions; TerminateInstances and its machines; CreateTags; every
 * other change.
 */
export type CallKind = keyof typeof BUCKETS;

/**
 * A cloud that asks for fewer calls gets half as many at most; each second after that, this share of the full rate
 * comes back.
 */
const RECOVERY_PER_SECOND = 0.05;
const SLOWEST = 0.05;

interface Bucket {
  tokens: number;
  filledAt: number;
  /** The share of the full rate that the cloud grants now: others may use the account too. */
  pace: number;
}

const shared = new WeakMap<Clock, Map<string, TokenBuckets>>();

/**
 * The limiter of a place.
 * @param clock what its buckets fill by; a rehearsal's time fills no real bucket.
 * @param place names who is asked: endpoint, region and account.
 */
export function limiterOf(clock: Clock, place: string): TokenBuckets {
  const places = shared.get(clock) ?? new Map<string, TokenBuckets>();
  shared.set(clock, places);
  const limiter = places.get(place) ?? new TokenBuckets(clock);
  places.set(place, limiter);
  return limiter;
}

export class TokenBuckets {
  private readonly buckets = new Map<CallKind, Bucket>();

  constructor(private readonly clock: Clock) {}

  /**
   * Resolves when a call of this kind may be made, in the order of asking. Rejects with an `AbortError` when `signal`
   * aborts before.
   * @param cost how many tokens it takes.
   */
  async take(kind: CallKind, signal: AbortSignal, cost = 1): Promise<void> {
    const bucket = this.filled(kind);
    bucket.tokens -= cost; // below zero it says how many wait
    if (bucket.tokens >= 0) return;
    try {
      await this.clock.sleep((-bucket.tokens / (BUCKETS[kind].perSecond * bucket.pace)) * 1000, signal);
    } catch (error) {
      bucket.tokens += cost;
      throw error;
    }
  }

  /** How many tokens are there now, not below zero. */
  available(kind: CallKind): number {
    return Math.max(0, Math.floor(this.filled(kind).tokens));
  }

  /**
   * The cloud refused a call of this kind: others use the account too, its bucket is as good as empty, and fills slower
   * for a while.
   */
  drain(kind: CallKind): void {
    const bucket = this.filled(kind);
    bucket.tokens = Math.min(bucket.tokens, 0);
    bucket.pace = Math.max(SLOWEST, bucket.pace / 2);
  }

  private filled(kind: CallKind): Bucket {
    const { size, perSecond } = BUCKETS[kind];
    const now = this.clock.now();
    const bucket = this.buckets.get(kind) ?? { tokens: size, filledAt: now, pace: 1 };
    this.buckets.set(kind, bucket);
    const seconds = (now - bucket.filledAt) / 1000;
    bucket.tokens = Math.min(size, bucket.tokens + seconds * perSecond * bucket.pace);
    bucket.pace = Math.min(1, bucket.pace + seconds * RECOVERY_PER_SECOND);
    bucket.filledAt = now;
    return bucket;
  }
}
