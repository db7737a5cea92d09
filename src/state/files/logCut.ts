/**
 * Cuts the middle out of a log that is too long. The beginning says what a program was, the end how it ended. A line in
 * between says how much is missing. The file stays one file that can be read at any time: the shorter log is written
 * beside it and takes its name.
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";

/** The gap in a log, in bytes. */
export interface LogGap {
  /** Where the line that tells of it begins: so many bytes of the beginning are kept. */
  readonly at: number;
  /** The length of that line. */
  readonly length: number;
  /** How many bytes are missing. */
  readonly missing: number;
}

/** At a cut, whole lines are kept if they are not longer. */
const LONGEST_LINE = 4_096;
const PIECE = 1_048_576;
/** Preceded by a line break. It says where it stands, so that a program can hardly print another one. */
const GAP = /\n--- (\d{1,15}) bytes were cut out after byte (\d{1,15}) \(log_limit\)\n/g;
const LONGEST_GAP = 90;

/**
 * Rewrites a log that is longer than its limit: a quarter of the limit of its beginning stays, and the same of its end.
 * @returns its new size in bytes.
 */
export function cutLog(path: string, limitBytes: number): number {
  const part = Math.floor(limitBytes / 4);
  const from = openSync(path, "r");
  const shorter = `${path}.shorter`;
  try {
    const { size } = fstatSync(from);
    const before = findGap(from, size);
    const head = before === null ? endOfLine(from, part) : Math.min(before.at, endOfLine(from, part));
    const tail = startOfLine(from, Math.max(size - part, before === null ? head : before.at + before.length));
    const missing = tail - head + (before === null ? 0 : before.missing - before.length);
    const to = openSync(shorter, "w", 0o600);
    try {
      copy(from, to, 0, head);
      writeAll(to, Buffer.from(`\n--- ${missing} bytes were cut out after byte ${head} (log_limit)\n`));
      copy(from, to, tail, size);
      const cut = fstatSync(to).size;
      renameSync(shorter, path);
      return cut;
    } finally {
      closeSync(to);
    }
  } catch (error) {
    rmSync(shorter, { force: true });
    throw error;
  } finally {
    closeSync(from);
  }
}

/** Finds the gap in a log, or null. */
export function findGap(file: number, size: number): LogGap | null {
  let held = Buffer.alloc(0);
  let start = 0;
  for (let at = 0; at < size;) {
    const piece = read(file, at, Math.min(size, at + PIECE));
    if (piece.length === 0) return null;
    at += piece.length;
    held = Buffer.concat([held, piece]);
    if (held.includes(" bytes were cut out after byte "))
      for (const found of held.toString("latin1").matchAll(GAP))
        if (Number(found[2]) === start + found.index)
          return { at: start + found.index, length: found[0].length, missing: Number(found[1]) };
    const keep = Math.min(held.length, LONGEST_GAP);
    start += held.length - keep;
    held = held.subarray(held.length - keep);
  }
  return null;
}

/** Writes all bytes. */
export function writeAll(file: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
}

/** The last line's end before an offset; the last character's if the line is long. */
function endOfLine(file: number, offset: number): number {
  const from = Math.max(0, offset - LONGEST_LINE);
  const bytes = read(file, from, offset);
  const line = bytes.lastIndexOf(10);
  if (line >= 0) return from + line;
  return offset - unfinished(bytes);
}

/** The next line's start after an offset; the next character's if the line is long. */
function startOfLine(file: number, offset: number): number {
  const bytes = read(file, offset, offset + LONGEST_LINE);
  const line = bytes.indexOf(10);
  if (line >= 0) return offset + line + 1;
  const character = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return offset + Math.max(0, character);
}

/** How many bytes at the end belong to a character that goes on. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    return byte >= 0xc0 && back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

function copy(from: number, to: number, start: number, end: number): void {
  for (let at = start; at < end;) {
    const piece = read(from, at, Math.min(end, at + PIECE));
    if (piece.length === 0) return;
    writeAll(to, piece);
    at += piece.length;
  }
}

function read(file: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
}
