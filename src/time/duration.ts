/** Durations of a plan, such as `1h30m`. */
import parseDuration from "parse-duration";

/** Node's timers accept at most 2^31-1 ms, almost 25 days. A longer timer would fire at once. */
export const LONGEST_DURATION_MS = 24 * 24 * 3600 * 1000;

/** The milliseconds of a duration that the schema has validated (`90s`, `2m`, `1h30m`, `500ms`). NaN for other text. */
export function durationMs(text: string): number {
  return Math.ceil(parseDuration(text) ?? Number.NaN);
}
