/**
 * The engine's clock. The real clock reads the computer's time once and then counts from there, so that setting the
 * computer's clock changes no deadline and no duration. A rehearsal uses a virtual clock.
 */
import { setTimeout as realSleep } from "node:timers/promises";

/** In milliseconds. Node's timers fire at once for longer delays. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface Clock {
  /** Milliseconds since the epoch. Never decreases. */
  now(): number;
  /** Resolves after `ms` milliseconds. Rejects with an `AbortError` when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Only on a virtual clock: stops time during work that is neither a sleep nor a computation. Call the returned
   * function to let time continue.
   */
  hold?(): () => void;
}

export const realClock: Clock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  sleep: (ms, signal) => realSleep(ms, undefined, signal === undefined ? {} : { signal }),
};
