/** A log that grows beyond its limit keeps its beginning and its end, and can be followed meanwhile. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import type { LogFiles } from "../../../src/state/contract/files.js";
import { locateHome } from "../../../src/state/files/home.js";
import { localFiles } from "../../../src/state/files/localFiles.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const LIMIT = 100_000;
const NAME = { service: "web", step: "boot" };
const GAP = /\n--- (\d+) bytes were cut out after byte (\d+) \(log_limit\)\n/;
const line = (number: number) => `line ${number} é\n`;

/** The numbers of the lines in a text, each once and whole. */
function numbers(text: string): number[] {
  return [...text.matchAll(/^line (\d+) é$/gm)].map(([, number]) => Number(number));
}

function opened(): { logs: LogFiles; path: string } {
  const home = temporaryDirectory();
  return { logs: localFiles(locateHome(home, {})).logs, path: join(home, "runs/uid/logs/web.boot.log") };
}

test("it never grows beyond its limit; the gap says how many bytes are missing, through all cuts and openings", async () => {
  const { logs, path } = opened();
  let bytes = 0;
  let number = 0;
  for (let opening = 0; opening < 5; opening += 1) {
    const writer = await logs.open("uid", NAME, LIMIT);
    for (let count = 0; count < 8_000; count += 1) {
      writer.append(line(number));
      bytes += Buffer.byteLength(line(number));
      number += 1;
      expect(statSync(path).size).toBeLessThanOrEqual(LIMIT);
    }
    await writer.close();
  }
  const text = readFileSync(path, "utf8");
  const [gap = "", missing, after] = GAP.exec(text) ?? [];
  expect(text.match(new RegExp(GAP, "g"))).toHaveLength(1);
  expect(Buffer.byteLength(text) - gap.length + Number(missing)).toBe(bytes);
  const [head = "", tail = ""] = text.split(gap);
  expect(Buffer.byteLength(head)).toBe(Number(after));
  const first = numbers(`${head}\n`);
  expect(first).toEqual(first.map((_, index) => index));
  const last = numbers(tail);
  expect(last).toEqual(last.map((_, index) => number - last.length + index));
  expect(first.length).toBeGreaterThan(1_000);
  expect(last.length).toBeGreaterThan(1_000);
  expect([statSync(path).mode & 0o777, readdirSync(join(path, ".."))]).toEqual([0o600, ["web.boot.log"]]);
});

test("a line without an end is cut between characters", async () => {
  const { logs, path } = opened();
  const writer = await logs.open("uid", NAME, LIMIT);
  for (let count = 0; count < 1_000; count += 1) writer.append("é€😀".repeat(100));
  await writer.close();
  const text = readFileSync(path, "utf8");
  expect(statSync(path).size).toBeLessThanOrEqual(LIMIT);
  expect(text.replace(GAP, "")).toMatch(/^[é€😀]+$/u);
});

test("another limit counts from the next opening on", async () => {
  const { logs, path } = opened();
  for (const limit of [LIMIT, LIMIT / 2, LIMIT]) {
    const writer = await logs.open("uid", NAME, limit);
    for (let number = 0; number < 10_000; number += 1) writer.append(line(number));
    await writer.close();
    expect(statSync(path).size).toBeLessThanOrEqual(limit);
    expect(readFileSync(path, "utf8").match(new RegExp(GAP, "g"))).toHaveLength(1);
  }
});

test("whoever follows gets each line once and in order, and is told what was cut out before it was read", async () => {
  const { logs } = opened();
  const writer = await logs.open("uid", NAME, LIMIT);
  let written = 0;
  let round = 0;
  // Some rounds are within what stays, some are cut more than once.
  const amounts = [10, 3_000, 3_000, 20_000, 10, 200, 50_000, 3_000, 10];
  let text = "";
  for await (const chunk of logs.follow("uid", {
    choose: async (all) => all,
    goesOn: async () => {
      const amount = amounts[round] ?? 0;
      for (let count = 0; count < amount; count += 1) writer.append(line(written++));
      round += 1;
      return round < amounts.length;
    },
  }))
    text += chunk.text;
  await writer.close();
  let next = 0;
  let gaps = 0;
  for (const part of text.split(/\n--- \d+ bytes were cut out after byte \d+ \(log_limit\)\n/)) {
    const found = numbers(`${part}\n`);
    if (gaps > 0) expect(found[0]).toBeGreaterThan(next);
    next = found[0] ?? next;
    expect(found).toEqual(found.map((_, index) => next + index));
    next += found.length;
    gaps += 1;
  }
  expect(next).toBe(written);
  expect(gaps).toBeGreaterThan(1);
  expect(numbers(text).slice(0, 6_010)).toEqual(Array.from({ length: 6_010 }, (_, index) => index));
});
