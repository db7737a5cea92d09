import { expect, test } from "@jest/globals";
import { parseOutputs } from "../../../src/machines/program/parseOutputs.js";

const parse = (text: string): Record<string, string> => Object.fromEntries(parseOutputs(Buffer.from(text)));

test("lines and blocks give their values as they are; the last of a name wins", () => {
  expect(parse("")).toEqual({});
  expect(parse("a=1\n\nb= x = y \na=2\n")).toEqual({ a: "2", b: " x = y " });
  expect(parse("key<<END\none=1\n\n two\nEND\nlast=✓")).toEqual({ key: "one=1\n\n two", last: "✓" });
  expect(parse("empty<<X\nX\nurl=http://h/?q=a<<b\n")).toEqual({ empty: "", url: "http://h/?q=a<<b" });
});

test("lines that end in CR LF give their values without the carriage return", () => {
  expect(parse("a=1\r\n\r\nb=x\ry\r\nempty=\r\nlast=z\r")).toEqual({ a: "1", b: "x\ry", empty: "", last: "z" });
  expect(parse("key<<END\r\none\r\n\r\ntwo\r\nEND\r\nnext=1\r\n")).toEqual({ key: "one\n\ntwo", next: "1" });
});

test("a block that begins with LF keeps the carriage returns of its lines", () => {
  expect(parse("key<<END\none\r\ntwo\r\nEND\n")).toEqual({ key: "one\r\ntwo\r" });
});

test("a byte order mark before a name is no part of it", () => {
  expect(parse("\ufeffa=1\n\ufeffb<<X\n\ufeffkept\nX\n")).toEqual({ a: "1", b: "\ufeffkept" });
  expect(parse("\ufeff")).toEqual({});
});

test("UTF-16 is named", () => {
  expect(() => parseOutputs(Buffer.from("\ufeffa=1\r\n", "utf16le"))).toThrow(
    "the outputs are UTF-16; they must be UTF-8",
  );
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
