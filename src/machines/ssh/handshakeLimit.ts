/** How many handshakes may be under way at a time in this process, whatever runs it boots and watches. */
import pLimit from "p-limit";

const DEFAULT = 32;
const MOST = 1_000;

/**
 * Handshakes cost processor time, so not all at once. An attempt takes a place when the machine begins to talk: one
 * that refuses, waits for a retry or says nothing takes none, and neither does a program that runs.
 */
export const handshakeLimit = pLimit(DEFAULT);

/**
 * Lets so many handshakes be under way, 1 to 1000, in all that this process does; 32 unless told.
 * @throws RangeError
 */
export function limitHandshakes(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MOST)
    throw new RangeError(`the number of handshakes must be a whole number from 1 to ${MOST}, not ${count}`);
  handshakeLimit.concurrency = count;
}
