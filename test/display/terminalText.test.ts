import { expect, test } from "@jest/globals";
import { lastOutputLine, outputLines, stripControl, truncate, wrap } from "../../src/display/terminalText.js";
import { displayWidth } from "../../src/text/columns.js";
import { growth } from "../support/growth.js";

test.each([
  ["\u001b[31mred\u001b[0m", "red"],
  ["\u001b]52;c;aGk=\u0007clip", "clip"],
  ["\u001bPq#0\u001b\\sixel", "sixel"],
  ["\u001b]0;never ended", "0;never ended"],
  ["a\u009b2Jb", "ab"],
  ["one\r\ntwo\tthree", "one two three"],
  ["\u202eevil\u2066\u200b", "evil"],
  ["\ud800lone", "lone"],
  ["Z\u0300\u0301\u0302\u0303\u0304algo", "Z\u0300\u0301\u0302algo"],
  ["日本 👩‍👧", "日本 👩‍👧"],
])("strips %j to %j", (text, clean) => {
  expect(stripControl(text)).toBe(clean);
});

test.each(["\u001b]", "\u009d", "\u001b[0;", "\u0300", "\u200d"])(
  "stripping hostile text takes linear time: %j",
  async (unit) => {
    expect(await growth((count) => stripControl(unit.repeat(count)), 20_000)).toBeLessThan(4);
  },
);

test("output is split at line breaks, and a progress bar shows its last writing", () => {
  expect(outputLines("a\r\nb  \n\nc\n")).toEqual(["a", "b", "", "c"]);
  expect(lastOutputLine("10%\r50%\r90%\r")).toBe("90%");
});

test("wide characters are cut whole", () => {
  expect(displayWidth("日本e\u0301")).toBe(5);
  expect(truncate("日本語", 4)).toBe("日…");
  expect(truncate("abc", 3)).toBe("abc");
});

test("text is broken between words, and a long word within", () => {
  expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
  expect(wrap("abcdefgh", 3)).toEqual(["abc", "def", "gh"]);
});
