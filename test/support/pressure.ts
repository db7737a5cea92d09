/** Watches what an attack costs this process: memory, and how long it is kept from other work. */

export interface Pressure {
  /** The largest growth of the resident memory so far, in bytes. */
  readonly growth: number;
  /** The longest time without a turn for timers, in milliseconds. A lease is lost after 30 s. */
  readonly longestPauseMs: number;
}

/** Does `work`, and tells what it cost. */
export async function underPressure<T>(work: () => Promise<T>): Promise<{ readonly value: T } & Pressure> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let [most, pause, last] = [before, 0, performance.now()];
  const look = (): void => {
    most = Math.max(most, process.memoryUsage.rss());
    pause = Math.max(pause, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(look, 20);
  try {
    const value = await work();
    look();
    return { value, growth: most - before, longestPauseMs: pause };
  } finally {
    clearInterval(timer);
  }
}

/** More memory than any attack may take: an honest machine's report takes a tenth of it. */
export const MOST_MEMORY = 200_000_000;
/** A third of the time after which a lease is lost. */
export const LONGEST_PAUSE_MS = 10_000;
