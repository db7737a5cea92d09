/**
 * Sanitizes and measures text from programs and clouds for a terminal. Everything printed passes `stripControl`.
 */

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

/** Longer lines are cut, so that a program cannot make drawing slow. */
const LONGEST_LINE = 2000;

/**
 * The lines of a program's output, sanitized and without trailing blanks. Each update of a progress bar (after a
 * carriage return) becomes a line.
 */
export function outputLines(text: string): string[] {
  return text
    .trimEnd()
    .split(/\r*\n|\r+/)
    .map(outputLine);
}

/** The last line of a program's output, or "". */
export function lastOutputLine(text: string): string {
  const end = text.trimEnd();
  return outputLine(end.slice(Math.max(end.lastIndexOf("\n"), end.lastIndexOf("\r")) + 1));
}

function outputLine(line: string): string {
  return stripControl(line.slice(0, LONGEST_LINE)).trimEnd();
}

/**
 * An upper bound for the columns that stripped text takes. Terminals disagree about emoji sequences and flags, so every
 * part of one is counted: a line may end early, but never overflows.
 */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

const NO_WIDTH = /^(?!\ufe0f)[\p{M}\u200c\u200d]/u;
/**
 * East Asian wide and fullwidth blocks (Unicode UAX #11), slightly generous at their edges, and all emoji.
 */
const WIDE =
  /^[\u1100-\u115f\u231a\u231b\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4dc0-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;

function characterWidth(character: string): number {
  if (PRINTABLE_ASCII.test(character)) return 1;
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
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
