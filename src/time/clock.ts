/**
 * Time, as the engine sees it. The real clock starts from the computer's and then only counts on: a clock that is set
 * while a launcher works bends no deadline and no duration. A rehearsal puts a virtual clock here.
 */
import { setTimeout as realSleep } from "node:timers/promises";

/** Beyond this, timers of Node's run out at once, in milliseconds. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface Clock {
  /** Milliseconds since the epoch; never goes back. */
  now(): number;
  /** Resolves after `ms` milliseconds. Rejects with an `AbortError` when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Only of a virtual clock: stops time until what it gives is called, while something goes on that is neither a sleep
   * nor a computation.
   */
  hold?(): () => void;
}

export const realClock: Clock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  sleep: (ms, signal) => realSleep(ms, undefined, signal === undefined ? {} : { signal }),
};
