/** What is wrong with a plan: each mistake with its place, and all of them as one error that prints itself. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import { isAbsolute, relative, sep } from "node:path";
import { printable } from "./excerpt.js";

/**
 * One mistake. Lines and columns count from 1; `line` is 0 if the mistake has no place in a text, such as a file that
 * is missing.
 */
export interface Mistake {
  /** Absolute path of the file; for `line` 0 also a command-line option. */
  readonly file: string;
  readonly line: number;
  /** In UTF-16 code units, as editors count. */
  readonly column: number;
  /** How many code units of the line are wrong. */
  readonly length: number;
  /** What is wrong and what would be right, in one sentence without a full stop. */
  readonly message: string;
  /** The name that was probably meant, or null. */
  readonly suggestion: string | null;
  /** The offending line with its number and a caret underline, as printed; "" if there is none. */
  readonly excerpt: string;
}

/** A plan or its variables cannot be used; `mistakes` says why, all of it, and the message prints it. */
export class PlanError extends BootlevelError {
  override readonly name = "PlanError";
  static override readonly code: string = "PLAN_INVALID";
  readonly mistakes: readonly Mistake[];
  /** Sorts the mistakes by file and place, and keeps one of each. */
  constructor(mistakes: readonly Mistake[]) {
    const sorted = sortMistakes(mistakes);
    super(formatMistakes(sorted));
    this.mistakes = sorted;
  }
}

export const isPlanError = guardOf(PlanError);

/**
 * The mistakes as text: for each `path:line:column: what is wrong`, then the line and a caret; an empty line between
 * two. Paths inside `cwd` are printed relative to it.
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
  // Files in the order in which they were met: the plan's own comes first. Array.sort keeps equal ones in order.
  const order = [...new Set(mistakes.map((mistake) => mistake.file))];
  const rank = new Map(order.map((file, index) => [file, index]));
  return [...seen.values()].sort(
    (a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || a.line - b.line || a.column - b.column,
  );
}
