import { expect, test } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPlan } from "../../src/plan/load.js";
import { formatMistakes } from "../../src/plan/yaml/mistakes.js";
import { planError } from "./planFolder.js";

const folder = fileURLToPath(new URL("../../plans/broken", import.meta.url));
const plans = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

test("there is a broken plan for each kind of mistake, and what it prints beside it", () => {
  expect(plans.length).toBeGreaterThanOrEqual(40);
  const expected = readdirSync(folder)
    .filter((name) => name.endsWith(".expected"))
    .map((name) => name.replace(/expected$/, "yaml"));
  expect(expected.sort()).toEqual([...plans].sort());
});

test.each(plans)("%s prints exactly its mistakes", async (name) => {
  const error = await planError(loadPlan(join(folder, name)));
  expect(`${formatMistakes(error.mistakes, folder)}\n`).toBe(
    readFileSync(join(folder, name.replace(/yaml$/, "expected")), "utf8"),
  );
});

test.each(plans)("every mistake of %s has a place and points into its line", async (name) => {
  const { mistakes } = await planError(loadPlan(join(folder, name)));
  for (const { file, line, column, length } of mistakes.filter((mistake) => mistake.line > 0)) {
    const text = readFileSync(file, "utf8").split("\n")[line - 1] ?? "";
    expect(column).toBeGreaterThanOrEqual(1);
    expect(column - 1 + length).toBeLessThanOrEqual(Math.max(1, text.length));
  }
});
