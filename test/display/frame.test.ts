import { expect, test } from "@jest/globals";
import { renderFrame } from "../../src/display/frame.js";
import { displayWidth } from "../../src/text/columns.js";
import type { RunView } from "../../src/display/view.js";
import { growth } from "../support/growth.js";
import { at, crowd, failed, levelFinished, levelStarted, moved, printed, started, viewOf } from "./story.js";

const SHOP = [
  started([
    ["storage", ["db"]],
    ["web", ["web-1", "web-2", "web-3"]],
    ["edge", ["balancer", "check"]],
  ]),
  moved("db", "storage", "ready", 2),
  levelFinished("storage", 2, 2100),
  levelStarted("web", 2),
  moved("web-1", "web", "booting", 2),
  moved("web-3", "web", "ready", 4),
  printed("web-1", "npm install: added 23\n"),
  failed("web-2", "web", 5),
];

function draw(view: RunView, columns = 80, rows = 24, seconds = 6): string {
  return renderFrame(view, { columns, rows, now: at(seconds), color: false });
}

test("a running level shows its services, the others fold to a line", () => {
  expect(draw(viewOf(...SHOP))).toBe(
    `web-shop-k3f9   boot plans/web   6s
✔ level 1 storage   1 service     2.1s
⠋ level 2 web       3 services    1 ready · 1 booting · 1 failed  4s
  web-1  booting          4s  npm install: added 23
  web-2  failed ✖     boot: the program ended with exit code 1
      │ npm ERR! code E404
      │ npm ERR! 404 Not Found
  web-3  ready ✔
○ level 3 edge      2 services`,
  );
});

test("the last frame of a failed run names what failed and what was never started", () => {
  const end = viewOf(...SHOP, moved("web-1", "web", "ready", 6), levelFinished("web", 6, 4000, 1), {
    type: "run-finished",
    at: at(7),
    run: "web-shop-k3f9",
    state: "failed",
    ms: 7123,
  });
  expect(draw(end)).toBe(
    `✖ web-shop-k3f9 failed   3 ready · 1 failed · 2 waiting   7.1s
✔ level 1 storage   1 service     2.1s
✖ level 2 web       3 services    2 ready · 1 failed  4.0s
  web-2  failed ✖     boot: the program ended with exit code 1
○ level 3 edge      2 services    not started`,
  );
});

test("a level that ended because its services were interrupted is no success, and neither is the run", () => {
  const interrupted = { ...levelFinished("web", 6, 4000), interrupted: 1 } as const;
  const calm = SHOP.filter(({ type }) => type !== "service-failed");
  const end = viewOf(...calm, moved("web-1", "web", "verifying", 5), moved("web-2", "web", "ready", 5), interrupted, {
    type: "run-finished",
    at: at(7),
    run: "web-shop-k3f9",
    state: "interrupted",
    ms: 7123,
  });
  const lines = draw(end).split("\n");
  expect(lines[0]).toMatch(/^■ web-shop-k3f9 interrupted /);
  expect(lines[1]).toMatch(/^✔ level 1 storage /);
  expect(lines[2]).toMatch(/^■ level 2 web .* 2 ready · 1 verifying /);
});

test("two hundred services: failed first, then the longest running, then how many more", () => {
  const lines = draw(
    viewOf(...crowd(200, (index) => (index < 137 ? "ready" : index < 197 ? "booting" : "failed"))),
    80,
    24,
    60,
  ).split("\n");
  expect(lines[2]).toContain("137 ready · 60 booting · 3 failed");
  expect(lines[3]).toContain("web-198  failed ✖");
  expect(lines[12]).toContain("web-151  booting         59s");
  expect(lines.at(-2)).toBe("  … and 188 more");
  expect(lines).toHaveLength(23);
});

test.each([
  [20, 5],
  [1, 1],
  [40, 8],
  [80, 24],
  [200, 60],
])("fits a terminal of %i by %i with 1 to 10,000 services", (columns, rows) => {
  for (const count of [1, 3, 200, 10_000]) {
    const view = viewOf(
      ...crowd(count, (index) => (["ready", "booting", "failed", "planned"] as const)[index % 4] ?? "ready"),
      printed("web-2", "日本語👩‍👩‍👧e\u0301".repeat(50)),
    );
    const lines = draw(view, columns, rows).split("\n");
    expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
  }
});

test("forty levels share lines before any service leaves the screen", () => {
  const levels = Array.from({ length: 40 }, (_, index) => [`step-${index + 1}`, [`s${index + 1}`]] as const);
  const done = levels.slice(0, 30).map(([name]) => levelFinished(name, 3, 1000));
  const lines = draw(viewOf(started(levels), ...done, levelStarted("step-31", 3)), 80, 10).split("\n");
  expect(lines).toContain("○ 9 more levels   9 services");
  expect(lines.some((line) => line.startsWith("  s31  waiting"))).toBe(true);
  expect(lines).toHaveLength(9);
});

test("a program cannot steer the terminal", () => {
  const frame = draw(
    viewOf(...SHOP, printed("web-1", "\u001b[2J\u001b]0;owned\u0007\u009b31mhi\u202e\u0000 there\r\n")),
  );
  expect(frame).toContain("hi there");
  expect(frame.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
});

test("what a frame takes grows no faster than the services", async () => {
  const views = new Map(
    [1_000, 10_000].map((count) => [
      count,
      viewOf(...crowd(count, (index) => (index % 2 === 0 ? "booting" : "ready"))),
    ]),
  );
  expect(
    await growth((count) => {
      for (let frame = 0; frame < 5; frame += 1) draw(views.get(count) as RunView);
    }, 1_000),
  ).toBeLessThan(4);
});
