import { expect, test } from "@jest/globals";
import { drawExcerpt, printable } from "../../../src/plan/yaml/excerpt.js";
import { formatMistakes, PlanError, type Mistake } from "../../../src/plan/yaml/mistakes.js";
import { suggest } from "../../../src/text/suggest.js";

const mistake = (file: string, line: number, message: string): Mistake => ({
  file,
  line,
  column: 1,
  length: 1,
  message,
  suggestion: null,
  excerpt: "",
});

test("paths inside the working folder are printed relative to it, others whole", () => {
  expect(formatMistakes([mistake("/w/p/a.yaml", 1, "x"), mistake("/other/a.yaml", 0, "y")], "/w")).toBe(
    "p/a.yaml:1:1: x\n\n/other/a.yaml: y",
  );
});

test("mistakes are sorted by place within a file, and one is said once", () => {
  const error = new PlanError([
    mistake("/b", 9, "x"),
    mistake("/a", 1, "y"),
    mistake("/b", 2, "z"),
    mistake("/b", 9, "x"),
  ]);
  expect(error.mistakes.map(({ file, line }) => `${file}:${line}`)).toEqual(["/b:2", "/b:9", "/a:1"]);
});

test("the caret stands under the place after tabs and wide letters", () => {
  expect(drawExcerpt("\tdb: x", 3, 2, 2)).toBe("    3 |   db: x\n      |   ^^");
  expect(drawExcerpt("数据: x", 3, 5, 1)).toBe("    3 | 数据: x\n      |       ^");
  expect(drawExcerpt("🚀: x", 3, 5, 1)).toBe("    3 | 🚀: x\n      |     ^");
});

test("a long line is cut around the caret", () => {
  const [line = "", caret = ""] = drawExcerpt(`${"a".repeat(5_000)}XYZ${"b".repeat(5_000)}`, 1, 5_001, 3).split("\n");
  expect(line.length).toBeLessThan(140);
  expect(line.slice(caret.indexOf("^"), caret.lastIndexOf("^") + 1)).toBe("XYZ");
});

test("no control character reaches the terminal", () => {
  expect(printable("a\u001b[31m\r\n\t\u007f\u009b\u202e")).toBe("a␛[31m␍␊␉␡\ufffd\ufffd");
  const text = formatMistakes(
    [{ ...mistake("/a\u001b", 1, "x\u001b\n"), suggestion: "\u0007", excerpt: drawExcerpt("\u001b]0;", 1, 1, 1) }],
    "/",
  );
  expect(text.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f]/);
});

test("the nearest name is suggested, and none that is far", () => {
  expect(suggest("bd", ["web", "db"])).toBe("db");
  expect(suggest("Web", ["web", "db"])).toBe("web");
  expect(suggest("replica", ["replicas", "attributes"])).toBe("replicas");
  expect(suggest("xy", ["db"])).toBeNull();
  expect(suggest("cache", ["db", "web"])).toBeNull();
  expect(suggest("a".repeat(100_000), ["db"])).toBeNull();
});
