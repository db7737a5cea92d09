/**
 * Decodes the escapes with which programs write special characters: backslashes of JSON, C, shells, YAML and TOML,
 * percent signs of URLs and forms, entities of HTML. All kinds are decoded in one pass, whatever the text is: only the
 * result is searched.
 */
import { ENTITIES, LONGEST_ENTITY } from "./entities.js";
import { beginOf, endOf, ViewBuilder, type View } from "./view.js";

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const [BRACE, CLOSING_BRACE, SEMICOLON, HASH] = [0x7b, 0x7d, 0x3b, 0x23];
const [LOWER_U, UPPER_U, LOWER_X] = [0x75, 0x55, 0x78];
/** Digits in braces or in an entity. More are no character. */
const MOST_DIGITS = 8;
const CONTROLS: ReadonlyMap<number, number> = new Map(
  Object.entries({ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 }).map(([letter, code]) => [
    letter.charCodeAt(0),
    code,
  ]),
);
const EMPTY = new Uint8Array(0);

/** What stands at an introducer: an escape, the beginning of one that the text's end cuts, or plain text. */
type Escape =
  | { readonly kind: "escape"; readonly length: number; readonly bytes: Uint8Array }
  | { readonly kind: "cut" }
  | { readonly kind: "none" };

const NONE: Escape = { kind: "none" };
const CUT: Escape = { kind: "cut" };

/**
 * Decodes one level of escapes. A view of a text that goes on ends before an escape that is not complete.
 * @param whole whether the text ends here
 * @returns null if there is nothing to decode
 */
export function decodeEscapes(view: View, whole: boolean): View | null {
  const { bytes } = view;
  if (![BACKSLASH, PERCENT, AMPERSAND].some((introducer) => bytes.includes(introducer))) return null;
  const decoded = new ViewBuilder(bytes.length);
  let { unfinished } = view;
  let changed = false;
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] as number;
    const escape = byte === BACKSLASH || byte === PERCENT || byte === AMPERSAND ? readEscape(bytes, at) : NONE;
    if (escape.kind === "escape") {
      const to = endOf(view, at + escape.length - 1);
      for (const one of escape.bytes) decoded.add(one, beginOf(view, at), to);
      at += escape.length;
      changed = true;
      continue;
    }
    if (escape.kind === "cut" && !whole) {
      unfinished = Math.min(unfinished, beginOf(view, at));
      break;
    }
    decoded.add(byte, beginOf(view, at), endOf(view, at));
    at += 1;
  }
  return changed || unfinished < view.unfinished ? decoded.build(unfinished) : null;
}

function readEscape(bytes: Uint8Array, at: number): Escape {
  if (bytes[at] === BACKSLASH) return readBackslash(bytes, at);
  if (bytes[at] === AMPERSAND) return readEntity(bytes, at);
  return bytes[at + 1] === LOWER_U ? readUnit(bytes, at) : readDigits(bytes, at, { skip: 1, digits: 2, byte: true });
}

function readBackslash(bytes: Uint8Array, at: number): Escape {
  const next = bytes[at + 1];
  if (next === undefined) return CUT;
  if (next === LOWER_U || next === LOWER_X) {
    if (bytes[at + 2] === BRACE) return readUntil(bytes, at, { skip: 3, end: CLOSING_BRACE, radix: 16 });
    return next === LOWER_U ? readUnit(bytes, at) : readDigits(bytes, at, { skip: 2, digits: 2, byte: true });
  }
  if (next === UPPER_U) return readDigits(bytes, at, { skip: 2, digits: 8, byte: false });
  if (next >= 0x30 && next <= 0x33) return readOctal(bytes, at);
  const control = CONTROLS.get(next);
  if (control !== undefined) return { kind: "escape", length: 2, bytes: Uint8Array.of(control) };
  return isAlphanumeric(next) ? NONE : { kind: "escape", length: 2, bytes: Uint8Array.of(next) };
}

/** `\u0026` or `%u0026`: a UTF-16 unit. Two of them may be one character. */
function readUnit(bytes: Uint8Array, at: number): Escape {
  const unit = readNumber(bytes, at + 2, 4, 16);
  if (typeof unit !== "number") return unit;
  if (unit < 0xd800 || unit > 0xdbff) return character(unit, 6);
  const low = [bytes[at], bytes[at + 1]].every((byte, index) => (bytes[at + 6 + index] ?? byte) === byte)
    ? readNumber(bytes, at + 8, 4, 16)
    : NONE;
  if (typeof low !== "number") return low;
  return low >= 0xdc00 && low <= 0xdfff ? character(0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff), 12) : NONE;
}

function readDigits(
  bytes: Uint8Array,
  at: number,
  { skip, digits, byte }: { readonly skip: number; readonly digits: number; readonly byte: boolean },
): Escape {
  const value = readNumber(bytes, at + skip, digits, 16);
  if (typeof value !== "number") return value;
  return byte
    ? { kind: "escape", length: skip + digits, bytes: Uint8Array.of(value) }
    : character(value, skip + digits);
}

function readOctal(bytes: Uint8Array, at: number): Escape {
  const value = readNumber(bytes, at + 1, 3, 8);
  return typeof value === "number" ? { kind: "escape", length: 4, bytes: Uint8Array.of(value) } : value;
}

function readEntity(bytes: Uint8Array, at: number): Escape {
  if (bytes[at + 1] === HASH) {
    const isHex = (bytes[at + 2] ?? 0) === LOWER_X || bytes[at + 2] === 0x58;
    return readUntil(bytes, at, { skip: isHex ? 3 : 2, end: SEMICOLON, radix: isHex ? 16 : 10 });
  }
  let end = at + 1;
  while (end < bytes.length && end - at <= LONGEST_ENTITY && isAlphanumeric(bytes[end] as number)) end += 1;
  if (end === bytes.length && end - at <= LONGEST_ENTITY) return CUT;
  if (bytes[end] !== SEMICOLON) return NONE;
  const point = ENTITIES.get(String.fromCharCode(...bytes.subarray(at + 1, end)));
  return point === undefined ? NONE : character(point, end + 1 - at);
}

/** A number of any length up to a closing character. */
function readUntil(
  bytes: Uint8Array,
  at: number,
  { skip, end, radix }: { readonly skip: number; readonly end: number; readonly radix: 10 | 16 },
): Escape {
  let value = 0;
  for (let next = at + skip; next <= at + skip + MOST_DIGITS; next += 1) {
    if (next >= bytes.length) return CUT;
    if (bytes[next] === end) return next === at + skip ? NONE : character(value, next + 1 - at);
    const digit = digitOf(bytes[next] as number);
    if (digit >= radix) return NONE;
    value = value * radix + digit;
  }
  return NONE;
}

/** A number of exactly so many digits; CUT if the text ends in it. */
function readNumber(bytes: Uint8Array, at: number, digits: number, radix: 8 | 16): number | Escape {
  let value = 0;
  for (let next = at; next < at + digits; next += 1) {
    if (next >= bytes.length) return CUT;
    const digit = digitOf(bytes[next] as number);
    if (digit >= radix) return NONE;
    value = value * radix + digit;
  }
  return value;
}

function character(point: number, length: number): Escape {
  if (point > 0x10ffff) return NONE;
  return { kind: "escape", length, bytes: point === 0 ? EMPTY : utf8(point) };
}

function utf8(point: number): Uint8Array {
  return point < 0x80 ? Uint8Array.of(point) : Buffer.from(String.fromCodePoint(point), "utf8");
}

/** The value of a digit; 99 for another character. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 99;
}

function isAlphanumeric(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x7a);
}
