import { LineCounter } from "yaml";
import { drawExcerpt } from "./excerpt.js";
import type { Mistake } from "./mistakes.js";
import { YamlData, type Path } from "./yamlData.js";
/** Which half of a map's pair a mistake is about. */
export type Part = "key" | "value";

/** One parsed YAML file. */
export class SourceFile {
  readonly data: unknown;
  /** The text that excerpts show: secrets are masked with asterisks at the same offsets. */
  private shown: string;

  constructor(
    readonly path: string,
    readonly text: string,
    private readonly yaml: YamlData,
    private readonly lines: LineCounter,
    readonly title: string,
  ) {
    this.data = yaml.data;
    this.shown = text;
  }

  /** The source text of a scalar (`0755`, `1.10`, `True`), or null if the value at `path` is not a scalar. */
  written(path: Path): string | null {
    return this.yaml.written(path);
  }

  /** Line and column (from 1) of the key or value at `path`. */
  position(path: Path, part: Part): { line: number; column: number } {
    return this.place(this.yaml.range(path, part)[0]);
  }

  /** Creates a mistake that points at the key or value at `path`. */
  mistake(path: Path, part: Part, message: string, suggestion: string | null = null): Mistake {
    return this.mistakeBetween(this.yaml.range(path, part), message, suggestion);
  }

  /** Creates a mistake that points at `fragment`, which begins `offset` code units into the string at `path`. */
  mistakeInside(
    path: Path,
    offset: number,
    fragment: string,
    message: string,
    suggestion: string | null = null,
  ): Mistake {
    const range = this.yaml.range(path, "value");
    // Quotes, escapes and folded lines only add characters, so the fragment begins at its offset or later.
    const at = this.text.slice(range[0] + offset, range[1]).indexOf(fragment) + range[0] + offset;
    // An escape inside the fragment hides it. The mistake then covers the whole value.
    if (at < range[0] + offset) return this.mistakeBetween(range, message, suggestion);
    return this.mistakeBetween([at, at + fragment.length], message, suggestion);
  }

  /** Creates a mistake that points at a range of the text. */
  mistakeBetween(range: readonly [number, number], message: string, suggestion: string | null = null): Mistake {
    const { line, column } = this.place(range[0]);
    const lineStart = range[0] - (column - 1);
    const newline = this.text.indexOf("\n", lineStart);
    const lineEnd = newline === -1 ? this.text.length : newline;
    const length = Math.max(1, Math.min(range[1], lineEnd) - range[0]);
    return {
      file: this.path,
      line,
      column,
      length,
      message,
      suggestion,
      excerpt: drawExcerpt(this.shown.slice(lineStart, lineEnd), line, column, length),
    };
  }

  /** Masks the secret value at `path` in all later excerpts. */
  hide(path: Path): void {
    const [start, end] = this.yaml.range(path, "value");
    this.shown = this.shown.slice(0, start) + mask(this.shown.slice(start, end)) + this.shown.slice(end);
  }

  /** Masks every text that matches, in all later excerpts. */
  hideAll(pattern: RegExp): void {
    this.shown = this.shown.replace(pattern, mask);
  }

  private place(offset: number): { line: number; column: number } {
    const { line, col } = this.lines.linePos(Math.min(offset, this.text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** As many asterisks, so that offsets stay. */
function mask(text: string): string {
  return text.replace(/[^\s]/g, "*");
}

/** A mistake about a file as a whole. */
export function fileMistake(file: string, message: string): Mistake {
  return { file, line: 0, column: 0, length: 0, message, suggestion: null, excerpt: "" };
}
