/** The process-wide limit on concurrent handshakes, shared by all runs of this process. */
import pLimit from "p-limit";

const DEFAULT = 32;
const MOST = 1_000;

/**
 * Handshakes cost CPU time. An attempt takes a slot when the machine starts to send: a machine that refuses, is silent
 * or waits for a retry takes none, and neither does a running program.
 */
export const handshakeLimit = pLimit(DEFAULT);

/**
 * Sets the process-wide limit on concurrent handshakes: 1 to 1000, default 32.
 * @throws RangeError
 */
export function limitHandshakes(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MOST)
    throw new RangeError(`the number of handshakes must be a whole number from 1 to ${MOST}, not ${count}`);
  handshakeLimit.concurrency = count;
}
