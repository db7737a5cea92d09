import { expect, test } from "@jest/globals";

import { LogLines } from "../../src/display/logLines.js";
import { growth } from "../support/growth.js";

function lines(terminal: boolean, ...chunks: readonly string[]): string[] {
  const log = new LogLines({ terminal });
  return [...chunks.flatMap((chunk) => log.push(chunk)), ...log.end()];
}

test("a line break is a line feed, with carriage returns before it or without", () => {
  for (const terminal of [true, false]) expect(lines(terminal, "a\r\nb\n\nc\r\r\nd")).toEqual(["a", "b", "", "c", "d"]);
});

test("in a pipe each state of a progress bar is a line", () => {
  expect(lines(false, "\r10%\r50%\r\u001b[K100%\r\ndone\n")).toEqual(["10%", "50%", "100%", "done"]);
});

test("a terminal gets the last state of a progress bar", () => {
  expect(lines(true, "start\n\r10%\r50%\r100%\r\u001b[K\r\ndone\n")).toEqual(["start", "100%", "done"]);
});

test("a progress bar that goes on shows where it is", () => {
  expect(lines(true, "10%\r", "50%\r")).toEqual(["50%"]);
  expect(lines(false, "10%\r", "50%\r")).toEqual(["10%", "50%"]);
});

test("chunks may end anywhere, also between a carriage return and its line feed", () => {
  const text = "one\r\ntwo\r\rthree\r\n\nfour";
  for (const terminal of [true, false]) expect(lines(terminal, ...text)).toEqual(lines(terminal, text));
});

test("control characters of a machine do nothing", () => {
  expect(lines(false, "\u001b]0;title\u0007\u001b[2Jred\u001b[0m\u0007\u009b1A\u202e\n")).toEqual(["red"]);
});

test("a long line is whole in a pipe, and cut with a mark on a terminal", () => {
  const long = "x".repeat(100_000);
  expect(lines(false, long, long, "\nshort\n")).toEqual([long + long, "short"]);
  const [cut, short] = lines(true, long, long, "\nshort\n");
  expect(cut).toBe(`${"x".repeat(2_000)}… (cut for the terminal: 200000 characters)`);
  expect(short).toBe("short");
});

test("a line without an end is broken after 16 Mi characters, and nothing of it is lost", () => {
  const chunk = "y".repeat(1024 * 1024 + 1);
  const found = lines(false, ...Array.from({ length: 20 }, () => chunk));
  expect(found.map((line) => line.length)).toEqual([16 * 1024 * 1024, 20 * chunk.length - 16 * 1024 * 1024]);
});

test("a line without an end takes linear time", async () => {
  const chunk = "z".repeat(1024);
  expect(await growth((count) => lines(false, ...new Array<string>(count).fill(chunk)), 2_000)).toBeLessThan(4);
});
