import { expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import { createReporter } from "../../src/display/reporter.js";
import { at, failed, levelStarted, moved, printed, started, START } from "./story.js";

function fakeTerminal() {
  const stream = Object.assign(new PassThrough(), { columns: 60, rows: 12, isTTY: false });
  return {
    stream: stream as unknown as NodeJS.WriteStream,
    text: () => {
      let all = "";
      for (let chunk: Buffer | string | null; (chunk = stream.read() as Buffer | string | null) !== null;)
        all += chunk.toString();
      return all;
    },
  };
}

const EVENTS = [
  started([["web", ["web-1"]]]),
  levelStarted("web", 0),
  moved("web-1", "web", "booting", 1),
  printed("web-1", "\u001b[1mone\ntwo\n"),
  failed("web-1", "web", 2),
];
const END = { type: "run-finished", at: at(3), run: "web-shop-k3f9", state: "failed", ms: 3000 } as const;

test("plain: a line an event, with its time", () => {
  const { stream, text } = fakeTerminal();
  const reporter = createReporter({ mode: "plain", stream, color: false, now: () => START, verbose: true });
  for (const event of [...EVENTS, END]) reporter.onEvent(event);
  reporter.close();
  expect(text()).toBe(
    `2026-11-21T05:00:00.000Z run web-shop-k3f9 boot plans/web: 1 service in 1 level
2026-11-21T05:00:00.000Z level 1 web started: 1 service
2026-11-21T05:00:01.000Z web-1 booting
2026-11-21T05:00:01.000Z web-1 boot | one
2026-11-21T05:00:01.000Z web-1 boot | two
2026-11-21T05:00:02.000Z web-1 failed in boot on admin@10.0.0.4:22: the program ended with exit code 1
2026-11-21T05:00:02.000Z web-1 boot | npm ERR! code E404
2026-11-21T05:00:02.000Z web-1 boot | npm ERR! 404 Not Found
2026-11-21T05:00:02.000Z web-1 log /home/ann/.bootlevel/runs/web-shop-k3f9/web-2/boot.log
2026-11-21T05:00:02.000Z web-1 next Repair the program, then run: bootlevel boot --name web-shop-k3f9
2026-11-21T05:00:03.000Z run web-shop-k3f9 failed after 3.0s
`,
  );
});

test.each([0, 400])(
  "live: the last frame stays when the run lasts %i ms, and nothing is written after close",
  async (ms) => {
    const { stream, text } = fakeTerminal();
    const reporter = createReporter({ mode: "live", stream, color: false, now: () => at(3), verbose: false });
    for (const event of EVENTS) reporter.onEvent(event);
    await new Promise((resolve) => setTimeout(resolve, ms));
    reporter.onEvent(END);
    reporter.close();
    expect(text()).toContain("✖ web-shop-k3f9 failed   1 failed   3.0s\n");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(text()).toBe("");
  },
);

test("silent writes nothing", () => {
  const { stream, text } = fakeTerminal();
  const reporter = createReporter({ mode: "silent", stream, color: false, now: () => START, verbose: true });
  for (const event of EVENTS) reporter.onEvent(event);
  expect(text()).toBe("");
});

test("plain: values that programs set, with what may be shown of them", () => {
  const { stream, text } = fakeTerminal();
  const reporter = createReporter({ mode: "plain", stream, color: false, now: () => START, verbose: false });
  const set = { type: "output-set", at: at(1), service: "db", name: "url", step: "boot" } as const;
  reporter.onEvent({ ...set, value: "postgres://\u001b[31mdb" });
  reporter.onEvent({ ...set, name: "token" });
  reporter.onEvent({ ...set, value: "x", untold: 3 });
  reporter.close();
  expect(
    text()
      .split("\n")
      .map((line) => line.slice(25)),
  ).toEqual([
    "db set url = postgres://db",
    "db set token",
    "db set url = x (and 3 times before that are not shown)",
    "",
  ]);
});
