/**
 * Repeatable randomness: every draw is a hash of the seed and of what it is for. So neither the order of concurrent
 * calls nor the process changes a result.
 */
import { createHash } from "node:crypto";

/** A distribution of durations, in milliseconds. */
export type Distribution =
  | { readonly kind: "fixed"; readonly ms: number }
  | { readonly kind: "uniform"; readonly min: number; readonly max: number }
  | { readonly kind: "exponential"; readonly mean: number }
  /** Log-normal, defined by its median and its 95th percentile; longer draws take `max`. */
  | { readonly kind: "log-normal"; readonly p50: number; readonly p95: number; readonly max: number };

/** The 95th percentile of the standard normal distribution. */
const Z95 = 1.6448536269514722;

/** A number in [0, 1), always the same for the same words. */
export function uniform(...words: readonly (string | number)[]): number {
  return createHash("sha256").update(words.join("\0")).digest().readUIntBE(0, 6) / 2 ** 48;
}

/** Whether an event with this probability (0 to 1) happens, for the given words. */
export function happens(probability: number, ...words: readonly (string | number)[]): boolean {
  return probability > 0 && uniform(...words) < probability;
}

/** A duration in whole milliseconds, drawn for the given words. */
export function drawMs(distribution: Distribution, ...words: readonly (string | number)[]): number {
  switch (distribution.kind) {
    case "fixed":
      return distribution.ms;
    case "uniform":
      return Math.round(distribution.min + uniform(...words) * (distribution.max - distribution.min));
    case "exponential":
      return Math.round(-distribution.mean * Math.log(1 - uniform(...words)));
    case "log-normal":
      return Math.round(
        Math.min(
          distribution.max,
          distribution.p50 * Math.exp((Math.log(distribution.p95 / distribution.p50) / Z95) * normal(...words)),
        ),
      );
  }
}

/** Standard normal, by the Box-Muller transform. */
function normal(...words: readonly (string | number)[]): number {
  return Math.sqrt(-2 * Math.log(1 - uniform(...words, "radius"))) * Math.cos(2 * Math.PI * uniform(...words, "angle"));
}
