/** What a client measures: bytes by interval, and how long round trips take. */

/** So many intervals are kept of a scenario at most: results stay small however long it takes. */
const MOST_INTERVALS = 400;

/** The length of an interval of which a scenario of this duration has few enough. */
export function intervalFor(durationMs, wantedMs) {
  return Math.max(wantedMs, Math.ceil(durationMs / MOST_INTERVALS));
}

/** Counts bytes (or whatever) by interval from `start()` on. What comes after the duration counts in the total only. */
export class Meter {
  total = 0;
  #startedAt = 0;
  #lastMs = 0;

  constructor(durationMs, intervalMs) {
    this.intervalMs = intervalMs;
    this.counts = new Array(Math.ceil(durationMs / intervalMs)).fill(0);
  }

  start() {
    this.#startedAt = performance.now();
  }

  add(count) {
    this.#lastMs = performance.now() - this.#startedAt;
    const interval = Math.floor(this.#lastMs / this.intervalMs);
    this.total += count;
    if (interval < this.counts.length) this.counts[interval] += count;
  }

  /** Milliseconds from the start to the last byte. */
  get elapsedMs() {
    return this.#lastMs;
  }
}

/** Each class of times is wider than the one before by this factor, so that a percentile is off by 1 % at most. */
const STEP = 1.02;

/** Times by class, since percentiles of several clients can only be had from all of their times. */
export class Times {
  constructor(classes = {}, longestMs = 0) {
    this.classes = { ...classes };
    this.longestMs = longestMs;
  }

  add(ms) {
    const number = Math.ceil(Math.log(Math.max(ms * 1000, 1)) / Math.log(STEP));
    this.classes[number] = (this.classes[number] ?? 0) + 1;
    this.longestMs = Math.max(this.longestMs, ms);
  }

  merge(other) {
    for (const [number, count] of Object.entries(other.classes))
      this.classes[number] = (this.classes[number] ?? 0) + count;
    this.longestMs = Math.max(this.longestMs, other.longestMs);
  }

  get count() {
    return Object.values(this.classes).reduce((sum, count) => sum + count, 0);
  }

  /** The time in milliseconds that this percentage of all does not exceed. */
  percentile(percent) {
    let left = Math.ceil((this.count * percent) / 100);
    for (const [number, count] of Object.entries(this.classes).sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return Math.min(STEP ** (Number(number) - 0.5) / 1000, this.longestMs);
    }
    return this.longestMs;
  }
}
