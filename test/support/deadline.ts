/** How long a wait may last: jest ends a test that takes too long without saying what it waited for. */

/** What is left for telling what was seen, before jest ends the test. */
const MARGIN_MS = 1_500;

/**
 * Milliseconds until a wait in this test, or in this hook, must give up; at most `limitMs`, at least 0. Outside of jest
 * (a driver of a test's, in the launcher's process) `limitMs` counts. @throws where nothing bounds the wait.
 */
export function remainingMs(limitMs = Infinity): number {
  // Set by jest/environment.js when a test or a hook begins.
  const { testDeadline } = globalThis as { readonly testDeadline?: number };
  const leftMs = testDeadline === undefined ? Infinity : testDeadline - MARGIN_MS - performance.now();
  if (leftMs === Infinity && limitMs === Infinity) throw new Error("nothing bounds this wait: it needs a limit");
  return Math.max(0, Math.min(limitMs, leftMs));
}
