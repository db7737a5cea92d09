import { expect, test } from "@jest/globals";
import { displayWidth } from "../../src/text/columns.js";

test.each([
  ["plain ASCII", "abc", 3],
  ["Chinese, Japanese and Korean letters", "数据かな한글", 12],
  ["fullwidth and halfwidth forms", "Ａｱ", 3],
  ["marks and joiners, which take nothing", "e\u0301\u200d", 1],
  ["marks that take a column of their own", "का", 2],
  ["a rocket", "🚀", 2],
  ["every part of an emoji sequence", "👩‍👧", 4],
  ["both letters of a flag", "🇩🇪", 4],
  ["a sign that is made an emoji", "❤\ufe0f", 2],
])("the columns of %s", (_what, text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});
