/**
 * Runs benchmarks: `npm run bench` all of them, `npm run bench -- levels state` some. Each question is a file of its
 * own and answers in ratios that were taken in one run, since machines differ. Prints a table, and writes all figures
 * as JSON (--json FILE; default bench/results.json). With --guard, figures past their limits (with the margin of each)
 * fail: what CI runs, with fewer repetitions and smaller sizes.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import Table from "cli-table3";
import { build } from "esbuild";

const root = new URL("..", import.meta.url).pathname;
const questions = readdirSync(join(root, "bench"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "string", default: join(root, "bench/results.json") },
    guard: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !questions.includes(name));
if (unknown.length > 0) {
  console.error(`there is no question ${unknown.join(", ")}: there are ${questions.join(", ")}`);
  process.exit(2);
}

// Beside the sources, so that packages are found from there.
const bundles = mkdtempSync(join(root, "node_modules/.bench-"));
process.on("exit", () => {
  rmSync(bundles, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const chosen = questions.filter((name) => positionals.length === 0 || positionals.includes(name));
await build({
  entryPoints: chosen.map((name) => join(root, `bench/${name}.ts`)),
  outdir: bundles,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  packages: "external",
  logLevel: "warning",
});

const answers = [];
for (const name of chosen) {
  console.error(`${name} …`);
  const answer = await ask(name);
  answers.push(answer);
  print(answer);
}
const machine = {
  node: process.version,
  cpus: availableParallelism(),
  model: cpus()[0]?.model ?? "",
  at: new Date().toISOString(),
};
writeFileSync(values.json, `${JSON.stringify({ machine, guard: values.guard, answers }, null, 2)}\n`);
const past = answers
  .flatMap(({ figures }) => figures)
  .filter(({ value, limit, margin = 1 }) => limit !== undefined && value > limit * (values.guard ? margin : 1));
for (const { what, value, limit } of past)
  console.log(`PAST ITS LIMIT: ${what}: ${value.toFixed(3)}, and not at most ${limit}`);
if (values.guard && past.length > 0) process.exitCode = 1;

/** Each question runs in a process of its own, so that none is measured with what another has left. */
function ask(name) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--expose-gc", join(bundles, `${name}.mjs`)], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, BENCH_GUARD: values.guard ? "1" : "" },
    });
    let answer = null;
    child.on("message", (message) => {
      answer = message;
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0 && answer !== null) resolve({ question: name, ...answer });
      else reject(new Error(`${name} ended with ${code}`));
    });
  });
}

function print({ title, figures, notes = [] }) {
  const table = new Table({
    head: ["", "median", "from", "to", "at most"],
    style: { head: [], border: [] },
    colAligns: ["left", "right", "right", "right", "right"],
  });
  const shown = (number, unit) => (number === undefined ? "" : `${number.toFixed(number >= 100 ? 0 : 2)}${unit}`);
  for (const { what, value, low, high, limit, unit = "" } of figures)
    table.push([
      what,
      shown(value, unit),
      shown(low, unit),
      shown(high, unit),
      limit === undefined ? "" : `${limit}${unit}`,
    ]);
  console.log(`\n${title}\n${table.toString()}`);
  for (const note of notes) console.log(note);
}
