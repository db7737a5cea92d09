import pc from "picocolors";
import { truncate } from "./terminalText.js";
import { displayWidth } from "../text/columns.js";

/** The styles of all output. Without colour each one is the identity. */
export type Styles = ReturnType<typeof pc.createColors>;
export type StyleName = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** A piece of a line: stripped text and its style. */
export type Segment = string | readonly [text: string, style: StyleName];

/** Creates the styles, or identities without colour. */
export function createStyles(color: boolean): Styles {
  return pc.createColors(color);
}

/**
 * Joins pieces into one line of at most `columns` columns. Text is cut before it is styled, so no style stays open.
 */
export function paintLine(segments: readonly Segment[], columns: number, styles: Styles): string {
  const width = widthOf(segments);
  if (width <= columns)
    return segments
      .map((segment) => paint(segment, textOf(segment), styles))
      .join("")
      .trimEnd();
  let room = columns;
  let line = "";
  for (const segment of segments) {
    const text = textOf(segment);
    const needed = displayWidth(text);
    // The blank makes a text that exactly fills the room too long, which leaves a column for the "…".
    if (needed >= room) return line + paint(segment, truncate(`${text} `, room), styles);
    line += paint(segment, text, styles);
    room -= needed;
  }
  return line;
}

/** The width of the pieces without trailing blanks, which are not printed. */
function widthOf(segments: readonly Segment[]): number {
  return displayWidth(segments.map(textOf).join("").trimEnd());
}

function textOf(segment: Segment): string {
  return typeof segment === "string" ? segment : segment[0];
}

function paint(segment: Segment, text: string, styles: Styles): string {
  return typeof segment === "string" || text === "" ? text : styles[segment[1]](text);
}

/** The first variant that fits, or the last one, cut. */
export function firstFitting(wordings: readonly (readonly Segment[])[], columns: number, styles: Styles): string {
  const fitting = wordings.find((segments) => widthOf(segments) <= columns) ?? wordings.at(-1) ?? [];
  return paintLine(fitting, columns, styles);
}
