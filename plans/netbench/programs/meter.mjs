/** A client's measurements: bytes by interval, and times of round trips. */

/** The most intervals that are kept of a scenario, so that results of long scenarios stay small. */
const MOST_INTERVALS = 400;

/** The interval's length in milliseconds: as wanted, or longer if the scenario would have too many intervals. */
export function intervalFor(durationMs, wantedMs) {
  return Math.max(wantedMs, Math.ceil(durationMs / MOST_INTERVALS));
}

/** Counts bytes by interval from `start()` on. Bytes after the duration count only in the total. */
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

/** Each class of times is wider than the previous one by this factor, so that a percentile is accurate to 1 %. */
const STEP = 1.02;

/** Times by class: percentiles over several clients need all of their times. */
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

  /** The time in milliseconds that this percentage of all times does not exceed. */
  percentile(percent) {
    let left = Math.ceil((this.count * percent) / 100);
    for (const [number, count] of Object.entries(this.classes).sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return Math.min(STEP ** (Number(number) - 0.5) / 1000, this.longestMs);
    }
    return this.longestMs;
  }
}
