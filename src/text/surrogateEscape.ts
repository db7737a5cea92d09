/**
 * Converts bytes to text and back without loss. Values are text, but a program may set bytes that are not UTF-8. Each
 * such byte becomes a lone surrogate (U+DC80 to U+DCFF, as in Python's PEP 383).
 */
import { isUtf8 } from "node:buffer";

const ESCAPE = 0xdc00;

/** Bytes as text. Valid UTF-8 is decoded. */
export function textOfBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const units = new Uint16Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const size = sequenceLength(bytes, at);
    if (size === 0) units[length++] = ESCAPE + (bytes[at] as number);
    else length = addCodePoint(units, length, codePoint(bytes, at, size));
    at += Math.max(1, size);
  }
  return Buffer.from(units.buffer, 0, 2 * length).toString("utf16le");
}

/** The original bytes: the inverse of `textOfBytes`. */
export function bytesOfText(text: string): Buffer {
  if (isText(text)) return Buffer.from(text, "utf8");
  const bytes = Buffer.allocUnsafe(3 * text.length);
  let length = 0;
  for (let at = 0; at < text.length;) {
    const point = text.codePointAt(at) as number;
    const isEscape = point >= ESCAPE + 0x80 && point <= ESCAPE + 0xff;
    if (isEscape) bytes[length++] = point - ESCAPE;
    else if (point < 0x80) bytes[length++] = point;
    else length += bytes.write(String.fromCodePoint(point), length, "utf8");
    at += point > 0xffff ? 2 : 1;
  }
  return Buffer.from(bytes.subarray(0, length));
}

/** Whether a value can be encoded as UTF-8. */
export function isText(value: string): boolean {
  return !/[\ud800-\udfff]/u.test(value);
}

/** The length in bytes of the well-formed sequence at `at` (Unicode 15, table 3-7). 0 if there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const [first = 0, second = 0] = [bytes[at], bytes[at + 1]];
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let next = 2; next < length; next += 1) if (((bytes[at + next] as number) & 0xc0) !== 0x80) return 0;
  return length;
}

function codePoint(bytes: Buffer, at: number, size: number): number {
  const first = bytes[at] as number;
  if (size === 1) return first;
  let point = first & (0x7f >> size);
  for (let next = 1; next < size; next += 1) point = (point << 6) | ((bytes[at + next] as number) & 0x3f);
  return point;
}

/**
 * Writes a code point as UTF-16.
 * @returns the new length
 */
function addCodePoint(units: Uint16Array, length: number, point: number): number {
  if (point < 0x10000) {
    units[length] = point;
    return length + 1;
  }
  units[length] = 0xd800 + ((point - 0x10000) >> 10);
  units[length + 1] = 0xdc00 + ((point - 0x10000) & 0x3ff);
  return length + 2;
}
