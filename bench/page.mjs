/**
 * Writes the figures of a full `npm run bench` into docs/performance.md: each table between two marks, and the picture.
 * Usage: node bench/page.mjs [RESULTS.json]; without a file, from docs/performance.json, which is where it keeps them.
 * With --check it changes nothing, and fails if the page says something else than the file.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { format, resolveConfig } from "prettier";

const root = new URL("..", import.meta.url).pathname;
const [page, kept, picture] = ["performance.md", "performance.json", "pictures/performance.svg"].map((name) =>
  join(root, "docs", name),
);
const words = process.argv.slice(2);
const check = words.includes("--check");
const [given] = words.filter((word) => !word.startsWith("--"));

const text = readFileSync(given ?? kept, "utf8");
const results = JSON.parse(text);
if (results.guard)
  fail("these are the figures of a guard run, whose sizes are smaller: run npm run bench without --guard");
const before = readFileSync(page, "utf8");
const missing = results.answers.filter(({ question }) => !before.includes(startOf(question)));
if (missing.length > 0) fail(`the page has no place for ${missing.map(({ question }) => question).join(", ")}`);
const tables = results.answers.reduce((all, answer) => filled(all, answer.question, tableOf(answer)), before);
const after = await format(filled(tables, "machine", machineOf(results.machine)), {
  ...(await resolveConfig(page)),
  filepath: page,
});
if (check) {
  if (after !== before) fail("docs/performance.md differs from docs/performance.json: run node bench/page.mjs");
} else {
  writeFileSync(page, after);
  if (given !== undefined) {
    writeFileSync(kept, await format(text, { ...(await resolveConfig(kept)), filepath: kept }));
    execFileSync(process.execPath, [join(root, "bench/picture.mjs"), kept, picture]);
  }
}

function startOf(name) {
  return `<!-- ${name}: from performance.json -->`;
}

/** The page with other words between the marks of a name. */
function filled(all, name, content) {
  const [start, end] = [startOf(name), "<!-- end -->"];
  const from = all.indexOf(start) + start.length;
  const to = all.indexOf(end, from);
  if (from < start.length || to < 0) fail(`the page has no ${start} … ${end}`);
  return `${all.slice(0, from)}\n\n${content}\n\n${all.slice(to)}`;
}

function tableOf({ figures, notes = [] }) {
  const rows = figures.map((figure) => {
    const { what, value, low = value, high = value, limit } = figure;
    const range = low === high ? "" : `${numberOf(low, figure)} to ${numberOf(high, figure)}`;
    const met = limit === undefined ? "" : `${numberOf(limit, figure)}${value > limit ? " (not met)" : ""}`;
    return `| ${what} | ${numberOf(value, figure)} | ${range} | ${met} |`;
  });
  return ["|  | median | range | limit |", "| --- | --- | --- | --- |", ...rows, "", ...notes].join("\n");
}

function machineOf({ node, cpus, model, at }) {
  return `Measured on ${at.slice(0, 10)}: ${cpus} processors (${model}), Node ${node}, everything on loopback.`;
}

function numberOf(value, { unit = "" }) {
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${unit}`;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
