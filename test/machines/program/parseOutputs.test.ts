import { expect, test } from "@jest/globals";
import { parseOutputs } from "../../../src/machines/program/parseOutputs.js";

const parse = (text: string): Record<string, string> => Object.fromEntries(parseOutputs(Buffer.from(text)));

test("lines and blocks give their values as they are; the last of a name wins", () => {
  expect(parse("")).toEqual({});
  expect(parse("a=1\n\nb= x = y \na=2\r\n")).toEqual({ a: "2\r", b: " x = y " });
  expect(parse("key<<END\none=1\n\n two\nEND\nlast=✓")).toEqual({ key: "one=1\n\n two", last: "✓" });
  expect(parse("empty<<X\nX\nurl=http://h/?q=a<<b\n")).toEqual({ empty: "", url: "http://h/?q=a<<b" });
});

test.each([
  ["nonsense", "fine=1\nnonsense\n", 2],
  ["a bad name", "1st=1\n", 1],
  ["a name with a dash", "a-b=1\n", 1],
  ["a block without an end", "a=1\nb<<END\nEN\n", 2],
  ["a block without a delimiter", "b<<\n\n", 1],
  ["a NUL byte", "a=1\nb=\0\n", 2],
])("%s is an error that names the line", (_what, text, line) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ name: "OutputError", line }));
});

test("bytes that are not UTF-8 are an error that names the line and shows no value", () => {
  const content = Buffer.concat([Buffer.from("a=✓\nsecret=hunter2"), Buffer.from([0xff]), Buffer.from("\nb=1\n")]);
  expect(() => parseOutputs(content)).toThrow("line 2 of the outputs is not valid UTF-8");
});

test("more than 16 MiB are refused", () => {
  expect(() => parseOutputs(Buffer.alloc(16 * 1024 * 1024 + 1, 97))).toThrow(/the limit is 16777216 bytes/);
});
