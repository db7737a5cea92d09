/**
 * Parses standard error of a script: the machine's own messages, early signals, and the one verdict that the launcher
 * waits for.
 */
import { OUTPUT_LIMIT } from "./parseOutputs.js";
import { OutputError } from "../contract/errors.js";
import { afterGreeting } from "../shell/channelScript.js";

export type Verdict =
  | { readonly kind: "done"; readonly code: number; readonly outputs: Buffer }
  | { readonly kind: "fail" | "lost"; readonly why: string }
  | { readonly kind: "never" | "killed" | "removed" };

/** "call": a program sent its first `bl` request. "lives": a recovered program is still running. */
export type EarlySignal = "call" | "lives";

/** One pattern for all nonces: compiling one for each cost more than parsing the output. */
const LINE = /\nbl-(call|lives|done|fail|lost|never|killed|removed) ([0-9a-f]+) ([^\n]*)\n/g;

/** How many bytes of the machine's messages are kept. The first ones say what failed first. */
const WORDS_LIMIT = 16_384;

export class VerdictReader {
  verdict: Verdict | null = null;
  /** Set if the outputs were too long to be sent. */
  error: OutputError | null = null;
  #text: Buffer = Buffer.alloc(0);
  #words = "";
  #body: { code: number; size: number; chunks: Buffer[]; length: number } | null = null;

  /** @param onSignal called for signals before the verdict */
  constructor(
    private readonly nonce: string,
    private readonly onSignal: (signal: EarlySignal) => void = () => undefined,
  ) {}

  /** Other output of the machine, for error messages. */
  get words(): string {
    const rest = this.verdict === null && this.#body === null ? this.#text.toString("utf8") : "";
    return clean(afterGreeting(this.#words + rest));
  }

  push(chunk: Buffer): void {
    if (this.verdict !== null) return;
    if (this.#body !== null) {
      this.#fill(chunk);
      return;
    }
    this.#text = Buffer.concat([this.#text, chunk]);
    const found = this.#find();
    if (found === undefined) {
      this.#trim();
      return;
    }
    this.#words += this.#text.toString("utf8", 0, found.index);
    const after = this.#text.subarray(found.index + found[0].length);
    if (found[1] !== "call" && found[1] !== "lives") {
      this.#conclude(found[1] ?? "", (found[3] ?? "").trim(), after);
      return;
    }
    this.#text = Buffer.alloc(0);
    this.onSignal(found[1]);
    this.push(after);
  }

  #find(): RegExpExecArray | undefined {
    if (!this.#text.includes(this.nonce)) return undefined;
    // With latin1, offsets in the string equal offsets in the bytes.
    for (const found of this.#text.toString("latin1").matchAll(LINE)) if (found[2] === this.nonce) return found;
    return undefined;
  }

  #trim(): void {
    if (this.#text.length <= WORDS_LIMIT) return;
    const cut = this.#text.length - 256;
    if (this.#words.length < WORDS_LIMIT) this.#words += this.#text.toString("utf8", 0, cut);
    this.#text = this.#text.subarray(cut);
  }

  #conclude(kind: string, rest: string, after: Buffer): void {
    if (kind === "fail" || kind === "lost") this.verdict = { kind, why: rest };
    else if (kind === "never" || kind === "killed" || kind === "removed") this.verdict = { kind };
    else {
      const [code = 0, size = 0] = rest.split(" ").map(Number);
      if (size > OUTPUT_LIMIT)
        this.error = new OutputError(`the outputs are ${size} bytes long; the limit is ${OUTPUT_LIMIT} bytes`, 0);
      this.#body = { code, size: size > OUTPUT_LIMIT ? 0 : size, chunks: [], length: 0 };
      this.#fill(after);
    }
  }

  #fill(chunk: Buffer): void {
    const body = this.#body;
    if (body === null) return;
    body.chunks.push(chunk);
    body.length += chunk.length;
    if (body.length >= body.size)
      this.verdict = { kind: "done", code: body.code, outputs: Buffer.concat(body.chunks).subarray(0, body.size) };
  }
}

function clean(words: string): string {
  return words
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "bl-wait")
    .join("; ");
}
