/**
 * Values are text, and a program may set bytes that are no UTF-8: each such byte is kept as a lone surrogate (U+DC80 to U+DCFF, as in Python's
 * PEP 383), so that a value is one kind of thing everywhere, and comes out byte for byte as it went in.
 */
import { isUtf8 } from "node:buffer";

const ESCAPE = 0xdc00;

/** Bytes as text; UTF-8 stands as what it means. */
export function textOfBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const parts: string[] = [];
  let good = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(bytes.toString("utf8", good, at), String.fromCharCode(ESCAPE + (bytes[at] as number)));
    at += 1;
    good = at;
  }
  parts.push(bytes.toString("utf8", good));
  return parts.join("");
}

/** The bytes that `textOfBytes` was given. */
export function bytesOfText(text: string): Buffer {
  if (isText(text)) return Buffer.from(text, "utf8");
  const parts = text.split(/([\udc80-\udcff])/u);
  return Buffer.concat(parts.map((part, index) => (index % 2 === 1 ? Buffer.from([part.charCodeAt(0) - ESCAPE]) : Buffer.from(part, "utf8"))));
}

/** Whether a value can be written as UTF-8. */
export function isText(value: string): boolean {
  return !/[\ud800-\udfff]/u.test(value);
}

/** Bytes of the well-formed sequence at `at` (Unicode 15, table 3-7); 0 where there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const [first = 0, second = 0] = [bytes[at], bytes[at + 1]];
  if (first < 0x80) return 1;
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let next = 2; next < length; next += 1) if (((bytes[at + next] as number) & 0xc0) !== 0x80) return 0;
  return length;
}
