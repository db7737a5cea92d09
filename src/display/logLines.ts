/**
 * Splits the text of a log into harmless lines, chunk by chunk. Takes time in proportion to the text, also for a line
 * that never ends.
 */
import { stripControl } from "./terminalText.js";

/** On a terminal, longer lines are cut, in characters. */
const LONGEST_ON_TERMINAL = 2_000;
/** A line without an end is held in memory up to this many characters; then it is broken. */
const LONGEST_HELD = 16 * 1024 * 1024;

export interface LogLineOptions {
  /**
   * True on a terminal: long lines are cut with a mark, and of a progress bar (text overwritten after a carriage return)
   * only the last state is kept. False in a pipe: nothing is lost, and each state of a progress bar is a line.
   */
  readonly terminal: boolean;
}

/** The lines of one log. A carriage return before a line feed belongs to the line break. */
export class LogLines {
  /** The line that has not ended: its pieces, joined only when it ends. */
  private pieces: string[] = [];
  private length = 0;
  /** Carriage returns at the end of a chunk: whether a line feed follows is not known yet. */
  private returns = "";
  /** On a terminal: what the line shows so far, if something was overwritten. */
  private shown = "";

  constructor(private readonly options: LogLineOptions) {}

  /** Takes a chunk. @returns the lines that it completes, without control characters. */
  push(chunk: string): string[] {
    const text = this.returns + chunk;
    this.returns = /\r+$/.exec(text)?.[0] ?? "";
    const lines: string[] = [];
    let start = 0;
    for (const { 0: end, index } of text.slice(0, text.length - this.returns.length).matchAll(/\r*\n|\r+/g)) {
      lines.push(...this.add(text.slice(start, index)));
      lines.push(...(end.endsWith("\n") ? this.endLine() : this.overwrite()));
      start = index + end.length;
    }
    lines.push(...this.add(text.slice(start, text.length - this.returns.length)));
    return lines;
  }

  /** The last line, if it has no line break. */
  end(): string[] {
    this.returns = "";
    return this.length === 0 && this.shown === "" ? [] : this.endLine();
  }

  private add(piece: string): string[] {
    const room = this.options.terminal ? 4 * LONGEST_ON_TERMINAL : LONGEST_HELD;
    const held = Math.min(this.length, room);
    this.length += piece.length;
    if (held < room) this.pieces.push(piece.slice(0, room - held));
    if (this.options.terminal || this.length <= LONGEST_HELD) return [];
    const rest = piece.slice(room - held);
    return [this.take(), ...this.add(rest)];
  }

  /** A line feed: the line is as it was shown last. */
  private endLine(): string[] {
    const line = this.take() || this.shown;
    this.shown = "";
    return [line];
  }

  /** A carriage return: the line will be overwritten. */
  private overwrite(): string[] {
    const state = this.take();
    if (this.options.terminal) this.shown = state || this.shown;
    return this.options.terminal || state === "" ? [] : [state];
  }

  /** The held text as a harmless line. */
  private take(): string {
    const length = this.length;
    const line = stripControl(this.pieces.join("")).trimEnd();
    this.pieces = [];
    this.length = 0;
    if (!this.options.terminal || (line.length <= LONGEST_ON_TERMINAL && length <= 4 * LONGEST_ON_TERMINAL))
      return line;
    return `${line.slice(0, LONGEST_ON_TERMINAL)}… (cut for the terminal: ${length} characters)`;
  }
}
