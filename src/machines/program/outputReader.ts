/**
 * Extracts a program's output from a channel's standard output: the bytes between the begin mark's line and the end
 * mark.
 */
import { beginMark, endMark } from "./scripts.js";

/** The longest line of a mark. A machine knows the nonce, so it can begin a line that never ends. */
const LONGEST_MARK = 200;

export class OutputReader {
  /** True once the begin mark has arrived: the program was started. */
  begun = false;
  /** True once the end mark has arrived and all output was delivered. */
  finished = false;
  readonly #begin: Buffer;
  #end: Buffer = Buffer.alloc(0);
  #held: Buffer = Buffer.alloc(0);

  constructor(
    nonce: string,
    private readonly onOutput: (chunk: Buffer) => void,
    private readonly onBegin: () => void,
  ) {
    this.#begin = Buffer.from(beginMark(nonce));
  }

  /** Takes the next chunk. Delivers at once everything that cannot be the start of the end mark. */
  push(chunk: Buffer): void {
    if (this.finished) return;
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (!this.begun && !this.#findBegin()) return;
    const at = this.#held.indexOf(this.#end);
    this.finished = at >= 0;
    const ready = this.finished ? at : this.#held.length - overlap(this.#held, this.#end);
    if (ready > 0) this.onOutput(this.#held.subarray(0, ready));
    this.#held = this.finished ? Buffer.alloc(0) : this.#held.subarray(ready);
  }

  #findBegin(): boolean {
    const at = this.#held.indexOf(this.#begin);
    const newline = at < 0 ? -1 : this.#held.indexOf(10, at);
    if (at >= 0 && (newline < 0 ? this.#held.length : newline) - at > LONGEST_MARK) {
      // No mark: look for another one after it.
      this.#held = this.#held.subarray(at + this.#begin.length);
      return this.#findBegin();
    }
    if (newline < 0) {
      // Drop a login shell's greeting; its tail may be the first half of the mark.
      const from = at < 0 ? this.#held.length - Math.min(this.#held.length, this.#begin.length) : at;
      this.#held = this.#held.subarray(from);
      return false;
    }
    this.#end = Buffer.from(endMark(this.#held.toString("latin1", at + this.#begin.length, newline)));
    this.#held = this.#held.subarray(newline + 1);
    this.begun = true;
    this.onBegin();
    return true;
  }
}

/** The length of the longest suffix of `text` that is a prefix of `mark`. */
function overlap(text: Buffer, mark: Buffer): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length--) {
    if (text.subarray(text.length - length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}
