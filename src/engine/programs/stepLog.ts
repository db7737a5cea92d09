/**
 * One log file per service and step. Output is written as it arrives, redacted. A program with secret outputs may print
 * a secret that is known only after its end. Its output is held in memory until then: a secret must not reach the disk,
 * not even for a moment.
 */
import { StringDecoder } from "node:string_decoder";

import { RedactingStream, type Redactor } from "../../secrets/redactor.js";
import { HeldOutput } from "./heldOutput.js";
import type { LogWriter } from "../../state/contract/files.js";

const LAST_LINES = 20;
const LINE_CHARACTERS = 2_000;

export interface StepLogParts {
  /** Null writes no log (read-only commands). Closed by the step's log. */
  readonly writer: LogWriter | null;
  readonly redactor: Redactor;
  /** Whether to hold the output until `finish`. */
  readonly hold: boolean;
  readonly onText: (text: string) => void;
}

export class StepLog {
  private readonly decoder = new StringDecoder("utf8");
  private readonly stream: RedactingStream;
  private readonly held = new HeldOutput();
  private tail = "";

  constructor(private readonly parts: StepLogParts) {
    this.stream = new RedactingStream(parts.redactor);
  }

  /** Writes a line of bootlevel's own, with the time. */
  note(text: string): void {
    this.write(
      `${this.tail === "" || this.tail.endsWith("\n") ? "" : "\n"}--- ${new Date().toISOString()} ${this.parts.redactor.redact(text)}\n`,
      false,
    );
  }

  push(chunk: Buffer): void {
    const text = this.decoder.write(chunk);
    if (this.parts.hold) this.held.push(text);
    else this.write(this.stream.push(text), true);
  }

  /** Writes the held output. The redactor knows all secrets of the program by now. */
  finish(): void {
    const rest = this.decoder.end();
    if (!this.parts.hold) return this.write(this.stream.push(rest) + this.stream.end(), true);
    this.held.push(rest);
    const { head, dropped, tail } = this.held.release(this.parts.redactor);
    this.write(head, true);
    if (dropped > 0) this.write(`\n--- ${dropped} characters dropped: too much output to hold in memory\n`, false);
    this.write(tail, true);
  }

  /** Drops the held output: the program ended before its secrets were known. */
  discard(): void {
    const { length } = this.held;
    this.held.forget();
    if (length > 0)
      this.note(
        `${length} characters of output were dropped: this program has secret outputs, and it ended before they were known`,
      );
  }

  async close(): Promise<void> {
    await this.parts.writer?.close();
  }

  /** The last lines that the program printed, oldest first. */
  lastLines(): string[] {
    return this.tail
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => line !== "")
      .slice(-LAST_LINES);
  }

  private write(text: string, program: boolean): void {
    if (text === "") return;
    this.parts.writer?.append(text);
    if (!program) return;
    this.tail = (this.tail + text).slice(-LAST_LINES * LINE_CHARACTERS);
    this.parts.onText(text);
  }
}
