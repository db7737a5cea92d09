/** Durations of a plan, such as `1h30m`. */
import parseDuration from "parse-duration";

/** Node's timers hold no more than 2^31-1 ms, almost 25 days; a longer one would fire at once. */
export const LONGEST_DURATION_MS = 24 * 24 * 3600 * 1000;

/** Milliseconds of a duration that has passed the schema (`90s`, `2m`, `1h30m`, `500ms`); NaN for other text. */
export function durationMs(text: string): number {
  return Math.ceil(parseDuration(text) ?? Number.NaN);
}
