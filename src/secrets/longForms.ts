/**
 * Finds the pieces of long values. A value of megabytes is not searched for as a whole: it is cut into windows of 64
 * bytes, and only two hashes of each are kept. A hash rolls over the text, so the search takes the same time for any
 * number of values of any length (Karp and Rabin, 1987). A part of a long value is found too.
 */
import type { Found } from "./automaton.js";

export const WINDOW = 64;
/** A window with fewer different bytes, such as a line of blanks or dashes, is common text and not a secret by itself. */
const DIFFERENT_BYTES = 6;
const FILTER_BITS = 20;
const [FIRST, SECOND] = [0x01000193, 0x5bd1e995];
const [FIRST_OUT, SECOND_OUT] = [power(FIRST), power(SECOND)];

export class LongForms {
  private readonly hashes = new Set<number>();
  /** Windows that count only directly after another one. */
  private readonly weak = new Set<number>();
  /** One bit for the first hashes that exist: most text needs no look into the sets. */
  private readonly filter = new Uint32Array(1 << (FILTER_BITS - 5));

  get isEmpty(): boolean {
    return this.hashes.size === 0;
  }

  /**
   * Adds a value of at least one window.
   * @returns the window at its beginning, if it is a secret by itself
   */
  add(value: Uint8Array): Uint8Array | null {
    const begins = Array.from({ length: Math.floor(value.length / WINDOW) }, (_, index) => index * WINDOW);
    if (value.length % WINDOW !== 0) begins.push(value.length - WINDOW);
    const weak = new Set(begins.filter((begin) => isWeak(value, begin)));
    for (const begin of begins) {
      const [first, second] = hashesAt(value, begin);
      (weak.has(begin) && weak.size < begins.length ? this.weak : this.hashes).add(key(first, second));
      this.filter[slot(first)] = (this.filter[slot(first)] as number) | (1 << (first & 31));
    }
    return weak.has(0) && weak.size < begins.length ? null : value.subarray(0, WINDOW);
  }

  /**
   * Reports the windows in a text.
   * @returns how many bytes at the end may belong to a value of which a part was found
   */
  scan(bytes: Uint8Array, found: Found): number {
    let [first, second, last] = [0, 0, -Infinity];
    for (let at = 0; at < bytes.length; at += 1) {
      const [byte, out] = [bytes[at] as number, at < WINDOW ? 0 : (bytes[at - WINDOW] as number)];
      first = (Math.imul(first, FIRST) + byte - Math.imul(out, FIRST_OUT)) | 0;
      second = (Math.imul(second, SECOND) + byte - Math.imul(out, SECOND_OUT)) | 0;
      if (((this.filter[slot(first)] as number) & (1 << (first & 31))) === 0 || at < WINDOW - 1) continue;
      const one = key(first, second);
      if (!this.hashes.has(one) && !(last === at - WINDOW && this.weak.has(one))) continue;
      last = at;
      found(at + 1 - WINDOW, at + 1);
    }
    const after = bytes.length - 1 - last;
    return after < WINDOW ? after + WINDOW : 0;
  }
}

function slot(hash: number): number {
  return (hash >>> 5) & ((1 << (FILTER_BITS - 5)) - 1);
}

/** Both hashes in one number, as far as it is exact. */
function key(first: number, second: number): number {
  return (first >>> 0) * 0x200000 + (second >>> 11);
}

function hashesAt(value: Uint8Array, begin: number): [first: number, second: number] {
  let [first, second] = [0, 0];
  for (let at = begin; at < begin + WINDOW; at += 1) {
    first = (Math.imul(first, FIRST) + (value[at] as number)) | 0;
    second = (Math.imul(second, SECOND) + (value[at] as number)) | 0;
  }
  return [first, second];
}

/** The factor of the byte that leaves the window. */
function power(base: number): number {
  let product = 1;
  for (let times = 0; times < WINDOW; times += 1) product = Math.imul(product, base);
  return product;
}

function isWeak(value: Uint8Array, begin: number): boolean {
  const seen: number[] = [];
  for (let at = begin; at < begin + WINDOW; at += 1) {
    const byte = value[at] as number;
    if (!seen.includes(byte) && seen.push(byte) === DIFFERENT_BYTES) return false;
  }
  return true;
}
