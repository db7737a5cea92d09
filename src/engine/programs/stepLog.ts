/**
 * One log file a service and step. Output is written as it comes, redacted. Where a program may print a secret that is
 * known only when it has ended (a secret output), its output is held in memory until then: a log that had the secret
 * for a moment had it on disk.
 */
import { StringDecoder } from "node:string_decoder";

import { RedactingStream, type Redactor } from "../../secrets/redactor.js";
import type { LogWriter } from "../../state/contract/files.js";

/** How much output is held in memory at most, in characters; of more, the end is kept. */
const HELD_CHARACTERS = 4 * 1024 * 1024;
const LAST_LINES = 20;
const LINE_CHARACTERS = 2_000;

export interface StepLogParts {
  /** Null keeps no log (commands that only read). The step's log closes it. */
  readonly writer: LogWriter | null;
  readonly redactor: Redactor;
  /** Hold the output until `finish`. */
  readonly hold: boolean;
  readonly onText: (text: string) => void;
}

export class StepLog {
  private readonly decoder = new StringDecoder("utf8");
  private readonly stream: RedactingStream;
  private held = "";
  private dropped = 0;
  private tail = "";

  constructor(private readonly parts: StepLogParts) {
    this.stream = new RedactingStream(parts.redactor);
  }

  /** A line of bootlevel's own in the log: when and what. */
  note(text: string): void {
    this.write(
      `${this.tail === "" || this.tail.endsWith("\n") ? "" : "\n"}--- ${new Date().toISOString()} ${this.parts.redactor.redact(text)}\n`,
      false,
    );
  }

  push(chunk: Buffer): void {
    const text = this.decoder.write(chunk);
    if (!this.parts.hold) return this.write(this.stream.push(text), true);
    this.held += text;
    if (this.held.length <= 2 * HELD_CHARACTERS) return;
    this.dropped += this.held.length - HELD_CHARACTERS;
    this.held = this.held.slice(-HELD_CHARACTERS);
  }

  /** Writes what was held back: every secret that the program made is in the redactor by now. */
  finish(): void {
    const rest = this.held + this.decoder.end();
    if (this.dropped > 0) this.write(`--- ${this.dropped} characters left out: too much output to hold back\n`, false);
    this.write(this.stream.push(rest) + this.stream.end(), true);
    this.held = "";
  }

  /** Forgets what was held back: the program ended before its secrets were known. */
  discard(): void {
    if (this.held !== "")
      this.note(
        `${this.held.length} characters of output are not kept: this program has secret outputs, and it ended before they were known`,
      );
    this.held = "";
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
