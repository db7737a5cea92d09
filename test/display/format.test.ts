import { expect, test } from "@jest/globals";
import { formatFailure, formatFailures } from "../../src/display/failure.js";
import { chooseMode } from "../../src/display/mode.js";
import { formatTable } from "../../src/display/table.js";
import { formatAge, formatDuration } from "../../src/display/time.js";
import { failure } from "./story.js";

test("a failure says where, what, why and what next", () => {
  expect(formatFailure(failure(), { columns: 60, color: false })).toBe(
    `✖ web-2 did not boot
  where  level web, service web-2, step boot, machine
         admin@10.0.0.4:22
  what   the program ended with exit code 1
  why    │ npm ERR! code E404
         │ npm ERR! 404 Not Found
  log    /home/ann/.bootlevel/runs/web-shop-k3f9/web-2/boot.log
  next   Repair the program, then run: bootlevel boot --name
         web-shop-k3f9`,
  );
});

test("of many failures three are told in full and the others in a line each", () => {
  const text = formatFailures(
    Array.from({ length: 60 }, (_, index) => failure({ service: `web-${index + 1}` })),
    { columns: 80, color: false },
  );
  expect(text.match(/^ {2}where/gm)).toHaveLength(3);
  expect(text).toContain("✖ web-5 did not boot: the program ended with exit code 1");
  expect(text.endsWith("… and 17 more failures")).toBe(true);
});

test("a table has no borders and no blanks at the ends", () => {
  const rows = [
    ["web-shop-k3f9", "ready", "5"],
    ["日本\u001b[2J", "failed", "1000"],
  ];
  expect(
    formatTable(["RUN", "STATE", "SERVICES"], rows, { columns: 80, color: false, align: ["left", "left", "right"] }),
  ).toBe(
    `RUN            STATE   SERVICES
web-shop-k3f9  ready          5
日本           failed      1000`,
  );
  for (const line of formatTable(["RUN", "STATE"], rows, { columns: 12, color: false }).split("\n"))
    expect(line.length).toBeLessThanOrEqual(12);
});

test.each([
  [850, "850ms"],
  [999.6, "1.0s"],
  [2100, "2.1s"],
  [59_960, "1m 00s"],
  [185_000, "3m 05s"],
  [3_599_600, "1h 00m"],
  [3_720_000, "1h 02m"],
  [183_600_000, "2d 03h"],
  [-5, "0ms"],
])("%d ms is %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

test("an age has one unit", () => {
  expect([0, 42_000, 200_000, 7_300_000, 500_000_000].map(formatAge)).toEqual(["now", "42s", "3m", "2h", "5d"]);
});

test("live only on a terminal that can, colours unless refused", () => {
  const stream = { isTTY: true };
  expect(chooseMode({ stream, env: {}, json: false })).toEqual({ mode: "live", color: true });
  expect(chooseMode({ stream, env: { NO_COLOR: "1" }, json: false })).toEqual({ mode: "live", color: false });
  expect(chooseMode({ stream, env: { TERM: "dumb" }, json: false })).toEqual({ mode: "plain", color: false });
  expect(chooseMode({ stream: {}, env: {}, json: false })).toEqual({ mode: "plain", color: false });
  expect(chooseMode({ stream, env: {}, json: true }).mode).toBe("silent");
});
