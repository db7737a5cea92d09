/**
 * Output that is held in memory until all its secrets are known. Of too much output, the middle is dropped. Where it is
 * cut, a secret may be cut too: its halves are not recognised, so what may be one is dropped as well.
 */
import { RedactingStream, type Redactor } from "../../secrets/redactor.js";

/** How much of the beginning and of the end is held, in characters. */
const HEAD_CHARACTERS = 1_048_576;
const TAIL_CHARACTERS = 3 * 1_048_576;
/** The longest form of one character of a secret, such as `\u0026`, and what may stand between pieces of it. */
const LONGEST_ESCAPE = 8;
const SLACK = 256;

export class HeldOutput {
  private head = "";
  private tail = "";
  private dropped = 0;

  /** The number of characters that were printed. */
  get length(): number {
    return this.head.length + this.dropped + this.tail.length;
  }

  push(text: string): void {
    const first = text.slice(0, HEAD_CHARACTERS - this.head.length);
    this.head += first;
    this.tail += text.slice(first.length);
    if (this.tail.length <= 2 * TAIL_CHARACTERS) return;
    this.dropped += this.tail.length - TAIL_CHARACTERS;
    this.tail = this.tail.slice(-TAIL_CHARACTERS);
  }

  /** The output without secrets, and how many characters were dropped between its two parts. Forgets it. */
  release(redactor: Redactor): { readonly head: string; readonly dropped: number; readonly tail: string } {
    const { head, tail, dropped } = this;
    this.forget();
    const stream = new RedactingStream(redactor);
    if (dropped === 0) return { head: stream.push(head + tail) + stream.end(), dropped, tail: "" };
    // The stream keeps back what may be the beginning of a secret.
    const shownHead = stream.push(head);
    const later = new RedactingStream(redactor);
    const margin = Math.min(tail.length, LONGEST_ESCAPE * redactor.longest + SLACK);
    later.push(tail.slice(0, margin));
    const shownTail = later.push(tail.slice(margin)) + later.end();
    return { head: shownHead, dropped: dropped + margin, tail: shownTail };
  }

  forget(): void {
    this.head = "";
    this.tail = "";
    this.dropped = 0;
  }
}
