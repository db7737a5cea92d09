/** File patterns of the command line. */
import { expect, test } from "@jest/globals";

import { matchesGlob } from "../../../src/engine/reports/glob.js";

test.each([
  ["files/results/a.json", "*.json", true],
  ["files/results/a.json", "a.*", true],
  ["files/results/a.json", "results", false],
  ["a", "*", true],
  ["files/results/a.json", "files/*", false],
  ["files/results/a.json", "files/*/*.json", true],
  ["files/results/a.json", "files/**", true],
  ["files/a", "**/a", true],
  ["a", "**/a", true],
  ["files/x/y/a", "files/**/a", true],
  ["files/a", "files/**/a", true],
  ["logs/a", "files/**/a", false],
  ["files/x/a/b", "files/**/a", false],
  ["abc", "a?c", true],
  ["ac", "a?c", false],
  ["abc", "[a-c]b[!x]", true],
  ["abx", "[a-c]b[!x]", false],
  ["a]c", "a[]]c", true],
  ["a-c", "a[a-]c", true],
  ["a[c", "a[c", true],
  ["aXbXc", "a*b*c", true],
  ["abcb", "a*b", true],
  ["abc", "*b", false],
  ["a*", "a[*]", true],
  ["ab", "a[*]", false],
  ["ünï", "ü?ï", true],
  ["new\nline", "new*", true],
  ["files/.hidden", "*", true],
  ["files/.x/a", "files/**", true],
  ["#a", "#a", true],
  ["!a", "!a", true],
  ["a.json", "*.{json,xml}", true],
  ["a.txt", "*.{json,xml}", false],
  ["a\\b", "a\\\\b", true],
])("%j and %j: %s", (path, pattern, matches) => {
  expect(matchesGlob(path, pattern)).toBe(matches);
});

test("a pattern made to be slow is not", () => {
  expect(matchesGlob("a".repeat(5_000), `${"*a".repeat(50)}b`)).toBe(false);
});
