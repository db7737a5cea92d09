/** Reads a YAML file of a plan. Reports file and syntax errors. */
import { SourceFile, fileMistake } from "./source.js";
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { LineCounter, parseDocument, visit, type Document, type ParsedNode, type YAMLError } from "yaml";
import { Located } from "./located.js";
import type { Mistake } from "./mistakes.js";
import { YamlData } from "./yamlData.js";

/**
 * Reads and parses a YAML file. `title` names its root in messages ("the plan"). Returns the file (null if it could not
 * be parsed) and all of its YAML mistakes.
 * @param options.pipes whether `path` may be a pipe, such as `/dev/fd/63`. It is read once per process.
 */
export function readSource(
  path: string,
  title: string,
  { pipes = false } = {},
): { source: SourceFile | null; mistakes: Mistake[] } {
  const text = readText(path, pipes);
  if (typeof text !== "string") return { source: null, mistakes: [fileMistake(path, text.problem)] };
  return parseSource(path, text, title);
}

/** What came from pipes: it can be read only once, and a command may need it twice. */
const piped = new Map<string, Buffer>();

export function readText(path: string, pipes = false): string | { problem: string } {
  let bytes: Buffer;
  try {
    const file = openSync(path, "r");
    try {
      const stat = fstatSync(file);
      if (stat.isDirectory()) return { problem: "this is a folder without a launch.yaml: name a YAML file" };
      const isPipe = stat.isFIFO() || stat.isSocket();
      if (!stat.isFile() && !(pipes && isPipe)) return { problem: "this is not a regular file: name a YAML file" };
      if (stat.size > LARGEST)
        return {
          problem: `the file is larger than 10 MB (${Math.ceil(stat.size / 1024 / 1024)} MB): is it a launch plan?`,
        };
      bytes = isPipe ? (piped.get(path) ?? readPipe(file)) : readFileSync(file);
      if (isPipe) piped.set(path, bytes);
      if (bytes.length > LARGEST) return { problem: "more than 10 MB came through this pipe: is it a YAML file?" };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return { problem: readProblem(error) };
  }
  return decode(bytes);
}

/** Reads a pipe to its end, or a little more than what is accepted. */
function readPipe(file: number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; length <= LARGEST;) {
    const chunk = Buffer.alloc(65_536);
    const read = readSync(file, chunk);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    length += read;
  }
  return Buffer.concat(chunks);
}

export function readProblem(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return "no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied: check the permissions of the file";
  return `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

export function decode(bytes: Buffer): string | { problem: string } {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return { problem: "the file is UTF-16: save it as UTF-8" };
  if (bytes.includes(0)) return { problem: "the file is binary, not YAML text" };
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { problem: `the file is not UTF-8 (first at line ${firstBadLine(bytes)}): save it as UTF-8` };
  }
}

export function firstBadLine(bytes: Buffer): number {
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
    // The parser is recursive: only a nesting of thousands of levels fails here.
    if (error instanceof RangeError)
      return { source: null, mistakes: [fileMistake(path, "the YAML is nested too deeply")] };
    throw error;
  }
  const source = new SourceFile(path, text, yaml, lines, title);
  hideSecretDefaults(source);
  // What the parser did not understand, or found twice, has no place in the data.
  if (document.errors.length + yaml.problems.length > 0 && /\bsec\w*["']?\s*:/i.test(text))
    source.hideAll(/(?<=\bdefault["']?\s*:)[^\n]*/g);
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

const KEYS_OF_VARIABLES: ReadonlySet<string> = new Set(["default", "env", "description"]);

/**
 * Masks the defaults of secret variables in every excerpt, syntax errors included. A variable is meant to be secret also
 * with `secret: yes`, which is text in YAML, or `secert: true`.
 */
export function hideSecretDefaults(source: SourceFile): void {
  for (const [, variable] of Located.root(source).get("variables")?.entries() ?? []) {
    const value = variable.get("default");
    const mayBeSecret = variable
      .entries()
      .some(([key, { value: set }]) => (key === "secret" ? set !== false : !KEYS_OF_VARIABLES.has(key)));
    if (mayBeSecret && value !== null) source.hide(value.path);
  }
}

/**
 * The range of a syntax error. For an unclosed quote it is the quote, because the parser reports only the end of the
 * file.
 */
export function syntaxRange(error: YAMLError, document: Document.Parsed<ParsedNode>): readonly [number, number] {
  let range: readonly [number, number] = error.pos;
  if (!error.message.endsWith("quote")) return range;
  visit(document, {
    Scalar: (_key, { type, range: place }) => {
      if (type?.startsWith("QUOTE") && place && place[1] >= error.pos[0]) range = [place[0], place[0] + 1];
    },
  });
  return range;
}

/** The parser's message, with a remedy for common causes. */
export function syntaxMessage(error: YAMLError, text: string): string {
  if (error.code === "MULTIPLE_DOCS")
    return "a second YAML document starts here, but a launch plan is one document: remove the ---";
  if (/^Missing closing .quote$/.test(error.message)) return "YAML: this quote is never closed";
  if (error.code === "TAB_AS_INDENT") return "YAML does not allow tabs for indentation: use spaces";
  const lineStart = text.lastIndexOf("\n", error.pos[0] - 1) + 1;
  const insideReference = /\$\{[^"'}]*\}?$/.test(text.slice(lineStart, error.pos[0] + 1));
  const hint = insideReference ? ': put a reference between { } or [ ] in quotes, "${…}"' : "";
  return `YAML: ${error.message.split("\n")[0] ?? ""}${hint}`;
}

export const LARGEST = 10 * 1024 * 1024;
