import { expect, test } from "@jest/globals";

import { bytesOfText, isText, textOfBytes } from "../../src/text/surrogateEscape.js";
import { randomBytes } from "../support/seed.js";

test("text stays text, whatever letters it has", () => {
  const text = "plain, äöü, 漢字, 🚀, \0 and \u{10FFFF}";
  expect(textOfBytes(Buffer.from(text))).toBe(text);
  expect(bytesOfText(text)).toEqual(Buffer.from(text));
  expect(isText(text)).toBe(true);
});

test("every byte and every pair of bytes comes out as it went in", () => {
  const pairs = Array.from({ length: 65_536 }, (_, number) => Buffer.from([number >> 8, number & 0xff]));
  expect(pairs.filter((bytes) => !bytesOfText(textOfBytes(bytes)).equals(bytes))).toEqual([]);
});

test.each([
  ["an overlong form", [0xc0, 0xaf]],
  ["half a surrogate pair", [0xed, 0xa0, 0x80]],
  ["more than Unicode has", [0xf4, 0x90, 0x80, 0x80]],
  ["a sequence that is cut off", [0x61, 0xe2, 0x82]],
  ["a stray continuation", [0x80]],
])("%s is kept byte for byte, and is no text", (_name, bytes) => {
  const value = textOfBytes(Buffer.from(bytes));
  expect(isText(value)).toBe(false);
  expect([...bytesOfText(value)]).toEqual(bytes);
});

test("a megabyte of chance comes out as it went in, between text", () => {
  const bytes = Buffer.concat([Buffer.from("ä"), randomBytes(1_048_576), Buffer.from("🚀")]);
  expect(bytesOfText(textOfBytes(bytes)).equals(bytes)).toBe(true);
});
