/**
 * Sanitizes and cuts text from programs and clouds for a terminal. Everything printed passes `stripControl`.
 */
import { characterWidth, displayWidth } from "../text/columns.js";

/**
 * OSC, DCS, SOS, PM and APC: an introducer, a string and its terminator (ECMA-48 5.6), in their 7-bit and 8-bit forms.
 */
const CONTROL_STRING =
  /(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0000-\u001f\u0080-\u009f]*(?:\u0007|\u001b\\|\u009c)/g;
/** CSI: colours, cursor movement, erasing (ECMA-48 5.4). */
const CONTROL_SEQUENCE = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]/g;
/** Every other escape sequence: reset, character sets, keypad modes. */
const ESCAPE = /\u001b[ -/]*[0-~]/g;
const BLANK = /[\t\n\v\f\r\u2028\u2029]+/g;
/**
 * Controls, lone surrogates and format characters (text direction, zero width), which hide or reorder text. Joiners are
 * kept: scripts and emoji need them.
 */
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}]/gu;
/** More than three combining marks on a letter are no language; they would cover neighbouring lines. */
const MARK_TOWER = /([\p{M}\u200c\u200d]{3})[\p{M}\u200c\u200d]+/gu;
const PRINTABLE_ASCII = /^[ -~]*$/;

/**
 * Turns any text into one harmless line. Removes escape sequences, controls and text direction marks; line breaks and
 * tabs become a space. The result cannot move the cursor, set a title or the clipboard, query the terminal or reorder
 * neighbouring text.
 */
export function stripControl(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text
    .replace(CONTROL_STRING, "")
    .replace(CONTROL_SEQUENCE, "")
    .replace(ESCAPE, "")
    .replace(BLANK, " ")
    .replace(INVISIBLE, "")
    .replace(MARK_TOWER, "$1");
}

/** Longer lines are cut where a person watches, so that a program cannot make drawing slow. */
const LONGEST_LINE = 2000;

/**
 * The lines of a program's output, sanitized and without trailing blanks. Each update of a progress bar (after a
 * carriage return) becomes a line. A long line is cut; `…` marks the cut.
 */
export function outputLines(text: string): string[] {
  return splitOutput(text).map(outputLine);
}

/** Like `outputLines`, with every line in full: for pipes and files. */
export function wholeOutputLines(text: string): string[] {
  return splitOutput(text).map((line) => stripControl(line).trimEnd());
}

function splitOutput(text: string): string[] {
  return text.trimEnd().split(/\r*\n|\r+/);
}

/** The last line of a program's output, or "". */
export function lastOutputLine(text: string): string {
  const end = text.trimEnd();
  return outputLine(end.slice(Math.max(end.lastIndexOf("\n"), end.lastIndexOf("\r")) + 1));
}

function outputLine(line: string): string {
  const cut = line.length > LONGEST_LINE ? "…" : "";
  return `${stripControl(line.slice(0, LONGEST_LINE)).trimEnd()}${cut}`;
}

/** Cuts stripped text to a number of columns; `…` marks the cut. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns < 1) return "";
  return `${takeColumns(text, columns - 1)}…`;
}

/** The longest prefix that fits, of whole characters with their marks. */
function takeColumns(text: string, columns: number): string {
  let width = 0;
  let end = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Wraps stripped text to a number of columns, between words if possible. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (displayWidth(rest) > columns) {
    const fitting = takeColumns(rest, columns) || firstCharacter(rest);
    const space = rest[fitting.length] === " " ? fitting.length : fitting.lastIndexOf(" ");
    const end = space > 0 ? space : fitting.length;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  lines.push(rest);
  return lines;
}

function firstCharacter(text: string): string {
  return String.fromCodePoint(text.codePointAt(0) ?? 0);
}
