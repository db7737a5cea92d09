import { createRequire } from "node:module";
import type Table from "cli-table3";
import { createStyles } from "./style.js";
import { stripControl, truncate } from "./terminalText.js";
import { displayWidth } from "../text/columns.js";

export interface TableOptions {
  readonly columns: number;
  readonly color: boolean;
  /** Alignment of each column; default: left. */
  readonly align?: readonly ("left" | "right")[];
}

const GAP = 2;
/** Rows laid out at a time, because the time that cli-table3 needs is quadratic in their number. */
const BLOCK = 200;
/** The narrowest column that shrinking may produce. */
const NARROWEST = 4;
/** No borders, only a gap between columns. */
const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/**
 * A table without borders: two blanks between columns, none at the end of a line. Cells are stripped, and cut if the
 * screen is too narrow, the widest columns first. Without rows, only the head. No final line break.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): string {
  const cells = [head, ...rows].map((row) => head.map((_, column) => stripControl(row[column] ?? "").trim()));
  const widths = fitWidths(naturalWidths(cells), options.columns);
  const aligns = head.map((_, column) => options.align?.[column] ?? "left");
  const blocks = Array.from({ length: Math.ceil(cells.length / BLOCK) }, (_, index) =>
    cells.slice(index * BLOCK, (index + 1) * BLOCK),
  );
  const lines = blocks
    .flatMap((block) => layOut(block, widths, aligns))
    .map((line) => truncate(line.trimEnd(), options.columns));
  const styles = createStyles(options.color);
  return lines.map((line, index) => (index === 0 ? styles.dim(styles.underline(line)) : line)).join("\n");
}

function layOut(rows: readonly (readonly string[])[], widths: number[], aligns: ("left" | "right")[]): string[] {
  const table = new (loadTable())({
    chars: NO_BORDERS,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colWidths: widths,
    colAligns: aligns,
  });
  for (const row of rows) table.push(row.map((cell, column) => truncate(cell, widths[column] ?? 0)));
  return table.toString().split("\n");
}

/** Loaded on first use, because it takes 17 ms. */
function loadTable(): typeof Table {
  return createRequire(import.meta.url)("cli-table3") as typeof Table;
}

function naturalWidths(cells: readonly (readonly string[])[]): number[] {
  const widths = new Array<number>(cells[0]?.length ?? 0).fill(1);
  for (const row of cells)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 1, displayWidth(cell));
  return widths;
}

/** Shrinks the widest column until all fit, down to a minimum width. */
function fitWidths(natural: readonly number[], columns: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - columns;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    const next = Math.max(NARROWEST, widest - excess, ...widths.filter((width) => width < widest));
    const column = widths.lastIndexOf(widest);
    widths[column] = next;
    excess -= widest - next;
  }
  return widths;
}
