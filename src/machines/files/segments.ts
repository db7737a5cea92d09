/**
 * Splits a byte stream at lines that contain a nonce. File content cannot contain such a line, since it cannot know the
 * nonce.
 */

/** The longest name of a segment. A machine knows the nonce, so it can begin a line that never ends. */
const LONGEST_WORD = 32;

/** The segments of a machine's standard output. Reads no faster than its consumer. */
export class Segments {
  readonly #source: AsyncIterator<Buffer, undefined>;
  readonly #mark: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #over = false;

  /** @param source ends or throws when no more data will come. */
  constructor(source: AsyncIterator<Buffer, undefined>, nonce: string) {
    this.#source = source;
    this.#mark = Buffer.from(`\nbl-${nonce} `);
  }

  /**
   * Skips the rest of the current segment.
   * @returns the name of the next one, or null at the end of the stream, or after a line that is no mark.
   */
  async next(): Promise<string | null> {
    for await (const chunk of this.content()) void chunk;
    if (this.#held.length === 0) return null;
    const start = this.#mark.length;
    for (;;) {
      const end = this.#held.indexOf(10, start);
      if (end > start + LONGEST_WORD) return null;
      if (end >= 0) {
        const word = this.#held.toString("latin1", start, end);
        this.#held = this.#held.subarray(end + 1);
        return word;
      }
      if (this.#held.length > start + LONGEST_WORD || !(await this.#read())) return null;
    }
  }

  /** The bytes up to the next mark. */
  async *content(): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(this.#mark);
      const length =
        at >= 0 ? at : this.#over ? this.#held.length : Math.max(0, this.#held.length - this.#mark.length + 1);
      if (length > 0) {
        const ready = this.#held.subarray(0, length);
        this.#held = this.#held.subarray(length);
        yield ready;
        continue;
      }
      if (at === 0 || this.#over) return;
      await this.#read();
    }
  }

  async #read(): Promise<boolean> {
    const read = await this.#source.next();
    this.#over = read.done === true;
    if (read.value !== undefined)
      this.#held = this.#held.length === 0 ? read.value : Buffer.concat([this.#held, read.value]);
    return !this.#over;
  }
}
