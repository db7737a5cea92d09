/**
 * Draws the invalid line with a caret underline, safe for any terminal: without raw control characters, and with wide
 * characters counted as two columns.
 */
import { displayWidth } from "../../text/columns.js";

const LONGEST = 120;
/** Characters of the line that are read on either side of the caret. */
const WINDOW = 400;
/** Direction overrides can make a terminal display a different text. */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** The text with each control character replaced by a visible symbol (ESC by ␛, a tab by ␉). */
export function printable(text: string): string {
  return text.replace(CONTROL, controlSign).replace(BIDI, "\ufffd");
}

/**
 * Returns two lines: the source line with its number, and carets under `length` code units from `column` (from 1). A
 * long line is cut to about 120 columns around the caret.
 */
export function drawExcerpt(line: string, lineNumber: number, column: number, length: number): string {
  const clean = line.endsWith("\r") ? line.slice(0, -1) : line;
  const start = Math.min(column - 1, clean.length);
  const end = Math.min(clean.length, start + Math.max(1, length));
  const fits = clean.length <= LONGEST;
  const before = shorten(show(clean.slice(Math.max(0, start - WINDOW), start)), "left", fits ? LONGEST : 60);
  const marked = shorten(show(clean.slice(start, Math.min(end, start + WINDOW))), "right", fits ? LONGEST : 50);
  const after = shorten(
    show(clean.slice(end, end + WINDOW)),
    "right",
    Math.max(0, LONGEST - before.length - marked.length),
  );
  const number = String(lineNumber);
  const carets = "^".repeat(Math.max(1, displayWidth(marked)));
  return [
    `${number.padStart(5)} | ${before}${marked}${after}`.trimEnd(),
    `${" ".repeat(Math.max(5, number.length))} | ${" ".repeat(displayWidth(before))}${carets}`,
  ].join("\n");
}

/** The displayed form of a part of the line. A tab becomes two spaces, because its width depends on its position. */
function show(text: string): string {
  return printable(text.replaceAll("\t", "  "));
}

function controlSign(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/** Cuts at whole characters, so that no emoji is split. */
function shorten(text: string, side: "left" | "right", longest: number): string {
  if (text.length <= longest) return text;
  const characters = [...text.slice(side === "left" ? -2 * longest : 0, side === "left" ? undefined : 2 * longest)];
  if (side === "left") return `…${characters.slice(-longest).join("")}`;
  return `${characters.slice(0, longest).join("")}…`;
}
