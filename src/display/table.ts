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
const BETWEEN = " ".repeat(GAP);
/** The narrowest column that shrinking may produce. */
const NARROWEST = 4;
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
  const lines = cells.map((row) =>
    truncate(
      row
        .map((cell, column) => padded(cell, widths[column] ?? 0, aligns[column]))
        .join(BETWEEN)
        .trimEnd(),
      options.columns,
    ),
  );
  const styles = createStyles(options.color);
  return lines.map((line, index) => (index === 0 ? styles.dim(styles.underline(line)) : line)).join("\n");
}

function padded(cell: string, width: number, align: "left" | "right" | undefined): string {
  const text = truncate(cell, width);
  const blanks = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "right" ? blanks + text : text + blanks;
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
