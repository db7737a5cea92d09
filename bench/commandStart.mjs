/** How long a short command takes over the time of `node -e 0`: pairs in one run, so that a noisy machine disturbs both alike. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PAIRS = 15;
const home = mkdtempSync(join(tmpdir(), "bootlevel-bench-"));
const cli = new URL("../dist/cli.js", import.meta.url).pathname;

function milliseconds(args) {
  const start = process.hrtime.bigint();
  execFileSync(process.execPath, args, { env: { ...process.env, BOOTLEVEL_HOME: home }, stdio: "ignore" });
  return Number(process.hrtime.bigint() - start) / 1e6;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

try {
  const results = [["list"], ["status", "--help"], ["--version"]].map((words) => {
    milliseconds([cli, ...words]); // warms the file cache
    const ratios = Array.from({ length: PAIRS }, () => milliseconds([cli, ...words]) / milliseconds(["-e", "0"]));
    return { command: `bootlevel ${words.join(" ")}`, median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
  });
  if (process.argv.includes("--json")) console.log(JSON.stringify({ unit: "times `node -e 0`", pairs: PAIRS, results }, null, 2));
  else for (const { command, median: middle, min, max } of results) console.log(`${command.padEnd(26)} ${middle.toFixed(2)} times node -e 0  (${min.toFixed(2)} to ${max.toFixed(2)})`);
} finally {
  rmSync(home, { recursive: true, force: true });
}
