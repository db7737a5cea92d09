/** Parses the file $BOOTLEVEL_OUTPUT, in which a program sets its outputs. */
import { isUtf8 } from "node:buffer";
import { OutputError } from "../contract/errors.js";

/** Maximum size of an output file in bytes. */
export const OUTPUT_LIMIT = 16 * 1024 * 1024;

const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];
const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/**
 * Parses `name=value` lines and `name<<END` blocks (the lines up to one that is exactly `END`). Empty lines are
 * ignored, the last value of a name wins, values are kept byte for byte. Programs of another system's habits are
 * understood: a byte order mark before a name is skipped, and a carriage return before a line's end belongs to the
 * line's end, in a block if the line that begins it ends so.
 * @throws OutputError with the line number. Its message never contains values, since they may be secret.
 */
export function parseOutputs(content: Buffer): Map<string, string> {
  const lines = decode(content).split("\n");
  const outputs = new Map<string, string>();
  for (let index = 0; index < lines.length; index++) {
    const written = (lines[index] ?? "").replace(/^\ufeff/, "");
    const line = withoutReturn(written);
    if (line === "") continue;
    const block = /^([^=]*?)<<(.*)$/s.exec(line);
    if (block !== null) {
      const plain = line === written ? (text: string) => text : withoutReturn;
      const end = endOfBlock(lines, index, block[2] ?? "", plain);
      const value = lines
        .slice(index + 1, end)
        .map(plain)
        .join("\n");
      outputs.set(checkName(block[1] ?? "", index), value);
      index = end;
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 0)
      throw new OutputError(`line ${index + 1} of the outputs is neither name=value nor name<<END`, index + 1);
    outputs.set(checkName(line.slice(0, equals), index), line.slice(equals + 1));
  }
  return outputs;
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function decode(content: Buffer): string {
  if (content.length > OUTPUT_LIMIT) {
    throw new OutputError(`the outputs are ${content.length} bytes long; the limit is ${OUTPUT_LIMIT} bytes`, 0);
  }
  if (UTF16_MARKS.some((mark) => content.subarray(0, 2).equals(mark)))
    throw new OutputError("the outputs are UTF-16; they must be UTF-8", 1);
  const nul = content.indexOf(0);
  if (nul >= 0)
    throw new OutputError(`line ${lineAt(content, nul)} of the outputs contains a NUL byte`, lineAt(content, nul));
  if (isUtf8(content)) return content.toString("utf8");
  const line = firstInvalidLine(content);
  throw new OutputError(`line ${line} of the outputs is not valid UTF-8`, line);
}

function lineAt(content: Buffer, offset: number): number {
  let line = 1;
  for (let at = content.indexOf(10); at >= 0 && at < offset; at = content.indexOf(10, at + 1)) line++;
  return line;
}

/** A newline byte is never part of a multi-byte UTF-8 sequence, so lines can be checked one by one. */
function firstInvalidLine(content: Buffer): number {
  let start = 0;
  for (let line = 1; ; line++) {
    const newline = content.indexOf(10, start);
    const part = content.subarray(start, newline < 0 ? content.length : newline);
    if (newline < 0 || !isUtf8(part)) return line;
    start = newline + 1;
  }
}

/** @param plain gives a line without what belongs to its end */
function endOfBlock(
  lines: readonly string[],
  start: number,
  delimiter: string,
  plain: (line: string) => string,
): number {
  if (delimiter === "")
    throw new OutputError(
      `line ${start + 1} of the outputs starts a block without an end marker (name<<END)`,
      start + 1,
    );
  const end = lines.findIndex((line, index) => index > start && plain(line) === delimiter);
  if (end < 0)
    throw new OutputError(
      `the block at line ${start + 1} of the outputs has no closing line "${delimiter}"`,
      start + 1,
    );
  return end;
}

function checkName(name: string, index: number): string {
  if (NAME.test(name)) return name;
  const shown = name.length > 40 ? `${name.slice(0, 40)}…` : name;
  throw new OutputError(
    `line ${index + 1} of the outputs has the invalid name ${JSON.stringify(shown)}; ` +
      "a name is a letter, followed by letters, digits and _",
    index + 1,
  );
}
