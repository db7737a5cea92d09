/** A file of the plan: its text, its data, and where in the text each piece of data stands. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { LineCounter, parseDocument, visit, type Document, type ParsedNode, type YAMLError } from "yaml";
import { drawExcerpt } from "./excerpt.js";
import { Located } from "./located.js";
import type { Mistake } from "./mistakes.js";
import { YamlData, type Path } from "./yamlData.js";

const LARGEST = 10 * 1024 * 1024;

/** Which part of a map's pair a mistake is about. */
export type Part = "key" | "value";

/** One parsed YAML file. */
export class SourceFile {
  readonly data: unknown;
  /** The text that excerpts show: secrets in it are starred out, at the same offsets. */
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

  /** The text of a scalar as it was written (`0755`, `1.10`, `True`), or null if the value at `path` is no scalar. */
  written(path: Path): string | null {
    return this.yaml.written(path);
  }

  /** Line and column, from 1, of the key or value at `path`. */
  position(path: Path, part: Part): { line: number; column: number } {
    return this.place(this.yaml.range(path, part)[0]);
  }

  /** Makes a mistake that points at the key or value at `path`. */
  mistake(path: Path, part: Part, message: string, suggestion: string | null = null): Mistake {
    return this.mistakeBetween(this.yaml.range(path, part), message, suggestion);
  }

  /** Makes a mistake that points at `fragment`, which stands `offset` code units into the string at `path`. */
  mistakeInside(
    path: Path,
    offset: number,
    fragment: string,
    message: string,
    suggestion: string | null = null,
  ): Mistake {
    const range = this.yaml.range(path, "value");
    // Quotes, escapes and folded lines only add to the text, so the fragment stands at its offset or later.
    const at = this.text.slice(range[0] + offset, range[1]).indexOf(fragment) + range[0] + offset;
    // An escape inside the fragment hides it: then the whole value is the place.
    if (at < range[0] + offset) return this.mistakeBetween(range, message, suggestion);
    return this.mistakeBetween([at, at + fragment.length], message, suggestion);
  }

  /** Makes a mistake that points at a range of the text. */
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

  /** Stars out the value at `path` in every excerpt from now on: it is a secret. */
  hide(path: Path): void {
    const [start, end] = this.yaml.range(path, "value");
    this.shown =
      this.shown.slice(0, start) + this.shown.slice(start, end).replace(/[^\s]/g, "*") + this.shown.slice(end);
  }

  private place(offset: number): { line: number; column: number } {
    const { line, col } = this.lines.linePos(Math.min(offset, this.text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** A mistake about a file as a whole. */
export function fileMistake(file: string, message: string): Mistake {
  return { file, line: 0, column: 0, length: 0, message, suggestion: null, excerpt: "" };
}

/**
 * Reads and parses a YAML file; `title` names its top in messages ("the plan"). Returns the file (null if it could not
 * be parsed) and everything that is wrong with it as YAML.
 */
export function readSource(path: string, title: string): { source: SourceFile | null; mistakes: Mistake[] } {
  const text = readText(path);
  if (typeof text !== "string") return { source: null, mistakes: [fileMistake(path, text.problem)] };
  return parseSource(path, text, title);
}

function readText(path: string): string | { problem: string } {
  let bytes: Buffer;
  try {
    const file = openSync(path, "r");
    try {
      const stat = fstatSync(file);
      if (stat.isDirectory()) return { problem: "this is a folder without a launch.yaml: name a YAML file" };
      if (!stat.isFile()) return { problem: "this is no ordinary file: name a YAML file" };
      if (stat.size > LARGEST)
        return {
          problem: `the file is larger than 10 MB (${Math.ceil(stat.size / 1024 / 1024)} MB): is it a launch plan?`,
        };
      bytes = readFileSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return { problem: readProblem(error) };
  }
  return decode(bytes);
}

function readProblem(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "the file may not be read: check its permissions";
  return `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

function decode(bytes: Buffer): string | { problem: string } {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return { problem: "the file is UTF-16: save it as UTF-8" };
  if (bytes.includes(0)) return { problem: "the file is binary, not YAML text" };
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { problem: `the file is not UTF-8 (first at line ${firstBadLine(bytes)}): save it as UTF-8` };
  }
}

function firstBadLine(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline + 1;
    const piece = bytes.subarray(start, end);
    if (!Buffer.from(piece.toString("utf8"), "utf8").equals(piece)) break;
    start = end;
  }
  return line;
}

/** Parses YAML text; see `readSource`. */
export function parseSource(
  path: string,
  text: string,
  title: string,
): { source: SourceFile | null; mistakes: Mistake[] } {
  const lines = new LineCounter();
  let yaml: YamlData;
  let document: Document.Parsed<ParsedNode>;
  try {
    document = parseDocument<ParsedNode>(text, {
      lineCounter: lines,
      merge: true,
      uniqueKeys: false,
      schema: "core",
      resolveKnownTags: false,
      prettyErrors: false,
    });
    yaml = new YamlData(document);
  } catch (error) {
    // The parser recurses: only a nesting of thousands of levels gets here.
    if (error instanceof RangeError)
      return { source: null, mistakes: [fileMistake(path, "the YAML is nested too deeply")] };
    throw error;
  }
  const source = new SourceFile(path, text, yaml, lines, title);
  hideSecretDefaults(source);
  const broken = document.errors.map((error) =>
    source.mistakeBetween(syntaxRange(error, document), syntaxMessage(error, text)),
  );
  if (broken.length > 0) return { source: null, mistakes: broken };
  return {
    source,
    mistakes: yaml.problems.map(({ range, message, first }) =>
      source.mistakeBetween(
        range,
        first === undefined ? message : message.replace(/\{line\}(?=[^{]*$)/, String(lines.linePos(first[0]).line)),
      ),
    ),
  };
}

/** A secret variable's default is starred out wherever its line is shown, in syntax errors too. */
function hideSecretDefaults(source: SourceFile): void {
  for (const [, variable] of Located.root(source).get("variables")?.entries() ?? []) {
    const value = variable.get("default");
    if (variable.get("secret")?.value === true && value !== null) source.hide(value.path);
  }
}

/**
 * Where a syntax error is; for a quote that is never closed the quote, because the parser notices only at the end of
 * the file.
 */
function syntaxRange(error: YAMLError, document: Document.Parsed<ParsedNode>): readonly [number, number] {
  let range: readonly [number, number] = error.pos;
  if (!error.message.endsWith("quote")) return range;
  visit(document, {
    Scalar: (_key, { type, range: place }) => {
      if (type?.startsWith("QUOTE") && place && place[1] >= error.pos[0]) range = [place[0], place[0] + 1];
    },
  });
  return range;
}

/** The parser's words, with the remedy where the cause is a common one. */
function syntaxMessage(error: YAMLError, text: string): string {
  if (error.code === "MULTIPLE_DOCS")
    return "a second YAML document begins here: a launch plan is one document, remove the ---";
  if (/^Missing closing .quote$/.test(error.message)) return "YAML: this quote is never closed";
  if (error.code === "TAB_AS_INDENT") return "YAML is indented with spaces, not with tabs";
  const lineStart = text.lastIndexOf("\n", error.pos[0] - 1) + 1;
  const insideReference = /\$\{[^"'}]*\}?$/.test(text.slice(lineStart, error.pos[0] + 1));
  const hint = insideReference ? ': write a reference between { } or [ ] in quotes, "${…}"' : "";
  return `YAML: ${error.message.split("\n")[0] ?? ""}${hint}`;
}
