/** The picture of a run: what is in it, where it lies, and that it is XML whatever a name holds. */
import { expect, test } from "@jest/globals";

import { renderWaterfall } from "../../../src/display/waterfall/waterfall.js";
import { ticks } from "../../../src/display/waterfall/axis.js";
import { sectionOf, Story, twoLevels } from "../../engine/analysis/story.js";
import { parseXml, type XmlElement } from "../../support/xml.js";

function draw(story: Story, options: Parameters<typeof sectionOf>[1] = {}): XmlElement[] {
  return parseXml(renderWaterfall("shop", sectionOf(story, options)));
}

const ofClass = (elements: readonly XmlElement[], name: string, tag = "rect") =>
  elements.filter((one) => one.name === tag && (one.attributes["class"] ?? "").split(" ").includes(name));
const titles = (elements: readonly XmlElement[]) =>
  elements.filter(({ name }) => name === "title").map(({ text }) => text);
const texts = (elements: readonly XmlElement[]) =>
  elements.filter(({ name }) => name === "text").map(({ text }) => text);
const number = (element: XmlElement | undefined, attribute: string) => Number(element?.attributes[attribute]);

/** `count` services of one level that boot side by side; the last one is the slowest, every hundredth fails. */
function wide(count: number, levels = 1): Story {
  const names = (level: number) => Array.from({ length: count }, (_, index) => `s${level}-${index}`);
  const story = new Story().begin(
    0,
    Object.fromEntries(Array.from({ length: levels }, (_, level) => [`level${level}`, names(level)])),
  );
  for (let level = 0; level < levels; level += 1) {
    const from = level * 10_000;
    story.level(from, `level${level}`);
    for (const name of names(level)) story.add(from, { type: "step-started", service: name, step: "boot", attempt: 1 });
    names(level).forEach((name, index) => {
      story.add(from + 100 + index, {
        type: "step-finished",
        service: name,
        step: "boot",
        attempt: 1,
        ms: 100 + index,
        exitCode: 0,
        outcome: "exited",
      });
      story.state(from + 100 + index, name, index % 100 === 5 ? "failed" : "ready");
    });
    story.endLevel(from + 100 + count, `level${level}`);
  }
  return story.end(levels * 10_000);
}

test("one row a service, below its level, and the critical path in a row of its own", () => {
  const picture = draw(twoLevels());
  expect(ofClass(picture, "service", "g")).toHaveLength(3);
  expect(texts(picture)).toEqual(
    expect.arrayContaining([
      "shop: boot, ready after 3.0s",
      "Critical path",
      "storage, 958ms",
      "db",
      "web, 2.0s",
      "web-1",
      "web-2",
    ]),
  );
  // The chain's own row, the last service of each of the two levels, and the legend.
  expect(ofClass(picture, "critical")).toHaveLength(4);
  expect(
    picture
      .filter(
        ({ name, text, attributes }) =>
          name === "text" && /^(db|web-.)$/.test(text) && attributes["class"] === "strong",
      )
      .map(({ text }) => text),
  ).toEqual(["db", "web-2"]);
});

test("bars lie to scale: as far apart as their moments, as long as their steps", () => {
  const boots = ofClass(draw(twoLevels()), "boot").filter(({ attributes }) => attributes["width"] !== "14");
  // The chain's db and web-2, then db, web-1, web-2: 2,990 ms on 860 pixels.
  expect(boots).toHaveLength(5);
  const perMs = 860 / 2_990;
  expect(number(boots[2], "x")).toBeCloseTo(250 + 110 * perMs, 0);
  expect(number(boots[2], "width")).toBeCloseTo(800 * perMs, 0);
  expect(number(boots[4], "width") / number(boots[3], "width")).toBeCloseTo(4, 1);
});

test("the bars of the critical path follow each other without a gap, from the chart's left to its right", () => {
  const kinds = ["launch", "connect", "boot", "ready", "pause", "bootlevel"];
  const row = draw(twoLevels()).filter(
    ({ name, attributes }) =>
      name === "rect" && kinds.includes(attributes["class"] ?? "") && attributes["width"] !== "14",
  );
  const chain = row.filter(({ attributes }) => attributes["y"] === row[0]?.attributes["y"]);
  expect(number(chain[0], "x")).toBe(250);
  for (const [index, next] of chain.slice(1).entries())
    expect(number(next, "x")).toBeLessThanOrEqual(number(chain[index], "x") + number(chain[index], "width") + 0.2);
  const last = chain.at(-1);
  expect(number(last, "x") + number(last, "width")).toBeCloseTo(1110, -1);
});

test("a bar tells on hover what it is: step, time, outcome", () => {
  expect(titles(draw(twoLevels()))).toEqual(
    expect.arrayContaining([
      "web-2: boot, 2.0s, exit code 0, began after 971ms",
      "db: launch, 100ms, launched, began after 5ms",
      "web-2: boot, 2.0s, 66.9 % of the whole",
    ]),
  );
});

test("a failure is marked with a cross and told with its reason; what has not ended is told, too", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b"] })
    .level(0, "one")
    .state(0, "a", "launching")
    .state(0, "b", "launching")
    .start(0, "a", "boot")
    .start(1, "b", "boot")
    .finish(40, "a", "boot", { outcome: "failed", exitCode: 3 })
    .state(50, "a", "failed");
  story.add(50, {
    type: "service-failed",
    failure: {
      service: "a",
      level: "one",
      step: "boot",
      message: "the disk is <full>",
      exitCode: 3,
      machine: null,
      lastLines: [],
      log: null,
      remedy: "",
      cause: null,
    },
  });
  const picture = draw(story);
  expect(ofClass(picture, "cross", "path")).toHaveLength(2); // the service's and the legend's
  expect(titles(picture)).toEqual(
    expect.arrayContaining([
      "a failed: the disk is <full>; longest step: boot, 40ms",
      "b: boot, 49ms, did not end, began after 1ms",
    ]),
  );
  expect(ofClass(picture, "open")).toHaveLength(1);
  expect(texts(picture)).toContain("Its launcher died: the times end with its last event, 50ms after the start.");
});

test("what a program waited for a slot is hatched, and only then is it in the legend", () => {
  const story = new Story()
    .begin(0, { one: ["a", "b"] })
    .level(0, "one")
    .start(0, "a", "boot")
    .start(0, "b", "boot")
    .finish(300, "a", "boot")
    .state(300, "a", "ready")
    .finish(500, "b", "boot")
    .state(500, "b", "ready")
    .endLevel(500, "one")
    .end(500);
  const waiting = draw(story, { concurrency: 1 });
  expect(titles(waiting)).toEqual(
    expect.arrayContaining(["b: waited for a slot, 300ms", "b: boot, 200ms, exit code 0, began after 300ms"]),
  );
  expect(texts(waiting)).toContain("waited for a slot");
  expect(texts(draw(story))).not.toContain("waited for a slot");
});

test("names are text, whatever is in them: markup, controls, characters that XML forbids", () => {
  const name = `<b>"a"&'b'</b>\u001b[31m\u0000\u0007\uffff\ud800]]>`;
  const story = new Story()
    .begin(0, { [name]: [name] })
    .level(0, name)
    .start(0, name, "boot")
    .finish(10, name, "boot")
    .state(10, name, "ready")
    .endLevel(10, name)
    .end(10);
  const picture = parseXml(renderWaterfall(name, sectionOf(story)));
  expect(texts(picture)).toContain(`<b>"a"&'b'</b>]]>`);
  expect(picture.some(({ name: tag }) => tag === "b")).toBe(false);
});

test("of a thousand services those that matter have rows: the slowest, and every failed one; the rest share a row, and it is said", () => {
  const picture = draw(wide(1_000));
  expect(ofClass(picture, "service", "g")).toHaveLength(150);
  expect(texts(picture)).toEqual(
    expect.arrayContaining([
      "… and 850 more",
      "Shown: in each level the failed services and those that finished last, 850 others together in one row per level.",
    ]),
  );
  const names = texts(picture).filter((text) => /^s0-\d+$/.test(text));
  expect(names).toEqual(expect.arrayContaining(["s0-999", "s0-998", "s0-5", "s0-105", "s0-905"]));
  expect(names).not.toContain("s0-6");
  expect(number(picture[0], "height")).toBeLessThan(4_000);
});

test("a small level keeps its rows beside a big one, and of very many levels the longest are drawn", () => {
  const mixed = new Story()
    .begin(0, { small: ["db"], big: Array.from({ length: 500 }, (_, index) => `w${index}`) })
    .level(0, "small")
    .start(0, "db", "boot")
    .finish(50, "db", "boot")
    .endLevel(50, "small")
    .level(50, "big");
  for (let index = 0; index < 500; index += 1) mixed.start(50, `w${index}`, "boot");
  for (let index = 0; index < 500; index += 1) mixed.finish(100 + index, `w${index}`, "boot");
  const picture = draw(mixed.endLevel(700, "big").end(700));
  expect(texts(picture)).toContain("db");
  expect(ofClass(picture, "service", "g")).toHaveLength(150);
  const tall = draw(wide(2, 300));
  expect(ofClass(tall, "service", "g").length).toBeLessThanOrEqual(150);
  expect(texts(tall)).toContain("Shown: the 60 longest of 300 levels.");
});

test("three thousand quick tries do not make three thousand bars", () => {
  const story = new Story()
    .begin(0, { one: ["a"] })
    .level(0, "one")
    .state(0, "a", "verifying");
  for (let attempt = 1; attempt <= 3_000; attempt += 1)
    story.add(attempt * 100, { type: "step-started", service: "a", step: "ready", attempt }).add(attempt * 100 + 10, {
      type: "step-finished",
      service: "a",
      step: "ready",
      attempt,
      ms: 10,
      exitCode: 1,
      outcome: "exited",
    });
  const picture = draw(story.endLevel(300_100, "one").end(300_100, "failed"));
  expect(picture.filter(({ name }) => name === "rect").length).toBeLessThan(2_000);
  expect(titles(picture).some((title) => /^a: ready, tries \d+ to \d+, /.test(title))).toBe(true);
});

test("a run without time or services can be drawn", () => {
  const picture = draw(new Story().begin(0, {}).end(0));
  expect(texts(picture)).toContain("It has no recorded steps of services.");
  expect(JSON.stringify(picture)).not.toMatch(/NaN|Infinity/);
});

test("the picture paints its own background, light, and dark for people who prefer it", () => {
  const [style] = draw(twoLevels()).filter(({ name }) => name === "style");
  expect(style?.text).toMatch(
    /\.back\{fill:#ffffff\}[\s\S]*@media \(prefers-color-scheme:dark\)\{[\s\S]*\.back\{fill:#161b22\}/,
  );
});

test.each([
  [0, ["0"]],
  [7, ["0", "1ms", "2ms", "3ms", "4ms", "5ms", "6ms", "7ms"]],
  [850, ["0", "100ms", "200ms", "300ms", "400ms", "500ms", "600ms", "700ms", "800ms"]],
  [3_163, ["0", "0.5s", "1s", "1.5s", "2s", "2.5s", "3s"]],
  [113_000, ["0", "15s", "30s", "45s", "1m 00s", "1m 15s", "1m 30s", "1m 45s"]],
])("the axis up to %d ms", (ms, labels) => {
  expect(ticks(ms).map(({ label }) => label)).toEqual(labels);
});

test("the axis has two to eleven ticks, evenly apart, however long it is", () => {
  for (let ms = 1; ms < 1e12; ms = Math.ceil(ms * 1.37)) {
    const moments = ticks(ms).map((tick) => tick.ms);
    expect(moments.length).toBeGreaterThanOrEqual(2);
    expect(moments.length).toBeLessThanOrEqual(11);
    expect(moments).toEqual(moments.map((_, index) => index * (moments[1] as number)));
    expect(moments.at(-1)).toBeLessThanOrEqual(ms);
  }
});
