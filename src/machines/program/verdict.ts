/**
 * Parses standard error of a script: the machine's own messages, early signals, and the one verdict that the launcher
 * waits for.
 */
import { OUTPUT_LIMIT } from "./parseOutputs.js";
import { OutputError } from "../contract/errors.js";
import { GREETING } from "../shell/channelScript.js";

export type Verdict =
  | { readonly kind: "done"; readonly code: number; readonly outputs: Buffer }
  | { readonly kind: "fail" | "lost"; readonly why: string }
  | { readonly kind: "never" | "killed" | "removed" };

/** "call": a program sent its first `bl` request. "lives": a recovered program is still running. */
export type EarlySignal = "call" | "lives";

/** One pattern for all nonces: compiling one for each cost more than parsing the output. */
const LINE = /\nbl-(call|lives|done|fail|lost|never|killed|removed) ([0-9a-f]+) ([^\n]*)\n/g;

/** The numbers of a `done` line: exit code, and size of the outputs in bytes. */
const NUMBERS = /^(\d{1,3}) (\d{1,15})$/;
/** How many bytes of the machine's messages are kept. The first ones say what failed first. */
const WORDS_LIMIT = 16_384;
/** The longest line of a script. */
const LONGEST_LINE = 256;
const GREETED = Buffer.from(`\n${GREETING}\n`);
/** The loss for a result that cannot be read (see scriptFailures.ts). */
const MALFORMED = "malformed";

export class VerdictReader {
  verdict: Verdict | null = null;
  /** Set if the outputs were too long to be sent. */
  error: OutputError | null = null;
  #text: Buffer = Buffer.alloc(0);
  #words = "";
  #greeted = false;
  #body: { readonly code: number; readonly outputs: Buffer; length: number } | null = null;

  /** @param onSignal called for signals before the verdict */
  constructor(
    private readonly nonce: string,
    private readonly onSignal: (signal: EarlySignal) => void = () => undefined,
  ) {}

  /** Other output of the machine, for error messages. */
  get words(): string {
    const rest = this.verdict === null && this.#body === null ? this.#text.toString("utf8") : "";
    return clean(this.#words + rest);
  }

  push(chunk: Buffer): void {
    for (let rest: Buffer | null = chunk; rest !== null && this.verdict === null;) {
      if (this.#body !== null) return this.#fill(rest);
      this.#text = Buffer.concat([this.#text, rest]);
      this.#dropNoise();
      rest = this.#take();
    }
  }

  /** Forgets what start-up files of the login shell printed, however much it was, once the script begins to run. */
  #dropNoise(): void {
    const at = this.#greeted ? -1 : this.#text.indexOf(GREETED);
    if (at < 0) return;
    this.#greeted = true;
    this.#words = "";
    // A line of the script begins after a line break.
    this.#text = this.#text.subarray(at + GREETED.length - 1);
  }

  /** Takes the first line of the script. @returns the bytes after a signal; null if there is no more to take. */
  #take(): Buffer | null {
    const found = this.#find();
    if (found === undefined) {
      this.#trim();
      return null;
    }
    this.#keepWords(found.index);
    const after = this.#text.subarray(found.index + found[0].length);
    this.#text = Buffer.alloc(0);
    const [, kind = "", , rest = ""] = found;
    if (kind !== "call" && kind !== "lives") {
      this.#conclude(kind, rest.trim(), after);
      return null;
    }
    this.onSignal(kind);
    return after;
  }

  #find(): RegExpExecArray | undefined {
    if (!this.#text.includes(this.nonce)) return undefined;
    // With latin1, offsets in the string equal offsets in the bytes.
    for (const found of this.#text.toString("latin1").matchAll(LINE)) if (found[2] === this.nonce) return found;
    return undefined;
  }

  #trim(): void {
    if (this.#text.length <= WORDS_LIMIT) return;
    const cut = this.#text.length - LONGEST_LINE;
    this.#keepWords(cut);
    this.#text = this.#text.subarray(cut);
  }

  /** Keeps the first bytes of the text as the machine's messages, up to a limit. */
  #keepWords(bytes: number): void {
    if (this.#words.length < WORDS_LIMIT) this.#words += this.#text.toString("utf8", 0, Math.min(bytes, WORDS_LIMIT));
  }

  #conclude(kind: string, rest: string, after: Buffer): void {
    if (kind === "fail" || kind === "lost") this.verdict = { kind, why: rest };
    else if (kind === "never" || kind === "killed" || kind === "removed") this.verdict = { kind };
    else this.#beginOutputs(rest, after);
  }

  /** A machine may send anything here: a size that is none must not be waited for. */
  #beginOutputs(rest: string, after: Buffer): void {
    const [, code, size] = NUMBERS.exec(rest) ?? [];
    if (code === undefined) {
      this.verdict = { kind: "lost", why: MALFORMED };
      return;
    }
    const bytes = Number(size);
    if (bytes > OUTPUT_LIMIT)
      this.error = new OutputError(`the outputs are ${bytes} bytes long; the limit is ${OUTPUT_LIMIT} bytes`, 0);
    // One buffer for all: many small ones, as a machine may send, would take far more memory than the outputs.
    this.#body = { code: Number(code), outputs: Buffer.alloc(bytes > OUTPUT_LIMIT ? 0 : bytes), length: 0 };
    this.#fill(after);
  }

  #fill(chunk: Buffer): void {
    const body = this.#body;
    if (body === null) return;
    body.length += chunk.copy(body.outputs, body.length);
    if (body.length >= body.outputs.length) this.verdict = { kind: "done", code: body.code, outputs: body.outputs };
  }
}

function clean(words: string): string {
  return words
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "bl-wait")
    .join("; ");
}
