/** Mistakes in a plan, each with its position, and the error that prints all of them. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import { isAbsolute, relative, sep } from "node:path";
import { printable } from "./excerpt.js";

/**
 * One mistake. Lines and columns count from 1. `line` is 0 if the mistake has no position in a text, such as a missing
 * file.
 */
export interface Mistake {
  /** Absolute path of the file. If `line` is 0, it may be a command-line option instead. */
  readonly file: string;
  readonly line: number;
  /** In UTF-16 code units, as editors count. */
  readonly column: number;
  /** The length of the invalid text, in code units. */
  readonly length: number;
  /** What is wrong and how to correct it: one sentence without a full stop. */
  readonly message: string;
  /** The name that was probably intended, or null. */
  readonly suggestion: string | null;
  /** The invalid line with its number and a caret underline, as printed. "" if there is none. */
  readonly excerpt: string;
}

/** A plan or its variables are invalid. `mistakes` has every reason; the message prints them. */
export class PlanError extends BootlevelError {
  override readonly name = "PlanError";
  static override readonly code: string = "PLAN_INVALID";
  readonly mistakes: readonly Mistake[];
  /** Sorts the mistakes by file and position, and removes duplicates. */
  constructor(mistakes: readonly Mistake[]) {
    const sorted = sortMistakes(mistakes);
    super(formatMistakes(sorted));
    this.mistakes = sorted;
  }
}

export const isPlanError = guardOf(PlanError);

/**
 * Formats the mistakes: for each one `path:line:column: message`, then the line and a caret, with an empty line between
 * two mistakes. Paths inside `cwd` are printed relative to it.
 */
export function formatMistakes(mistakes: readonly Mistake[], cwd: string = process.cwd()): string {
  return mistakes.map((mistake) => formatMistake(mistake, cwd)).join("\n\n");
}

function formatMistake(mistake: Mistake, cwd: string): string {
  const path = printable(shortPath(mistake.file, cwd));
  const place = mistake.line === 0 ? path : `${path}:${mistake.line}:${mistake.column}`;
  const hint = mistake.suggestion === null ? "" : `, did you mean "${printable(mistake.suggestion)}"?`;
  const head = `${place}: ${printable(mistake.message)}${hint}`;
  return mistake.excerpt === "" ? head : `${head}\n${mistake.excerpt}`;
}

function shortPath(file: string, cwd: string): string {
  if (!isAbsolute(file)) return file;
  const path = relative(cwd, file);
  const outside = path === "" || path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path);
  return outside ? file : path;
}

function sortMistakes(mistakes: readonly Mistake[]): Mistake[] {
  const seen = new Map<string, Mistake>();
  for (const mistake of mistakes) {
    const key = JSON.stringify([mistake.file, mistake.line, mistake.column, mistake.message]);
    if (!seen.has(key)) seen.set(key, mistake);
  }
  // Files are sorted in the order of their first mistake: the plan's own comes first. Array.sort is stable.
  const order = [...new Set(mistakes.map((mistake) => mistake.file))];
  const rank = new Map(order.map((file, index) => [file, index]));
  return [...seen.values()].sort(
    (a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || a.line - b.line || a.column - b.column,
  );
}
