/** Command start: how long a short command takes over the time of `node -e 0`: pairs in one run, so that a noisy machine disturbs both alike. */
import { execFileSync } from "node:child_process";

import { boot, loadPlan } from "../src/index.js";
import { answer, figure, isGuard } from "./support/answer.js";
import { temporaryFolder } from "./support/simulated.js";

const PAIRS = isGuard ? 7 : 15;
const home = temporaryFolder();
const cli = `${process.cwd()}/dist/cli.js`;

function milliseconds(words: readonly string[]): number {
  const start = performance.now();
  execFileSync(process.execPath, words, { env: { ...process.env, BOOTLEVEL_HOME: home }, stdio: "ignore" });
  return performance.now() - start;
}

const run = await boot(await loadPlan("plans/sim"), { home, name: "bench" });
if (run.state !== "ready") throw new Error(`the run is ${run.state}`);
const figures = [["list"], ["show", "bench"], ["status", "--help"], ["--version"]].map((words) => {
  milliseconds([cli, ...words]); // warms the file cache
  const ratios = Array.from({ length: PAIRS }, () => milliseconds([cli, ...words]) / milliseconds(["-e", "0"]));
  return figure(`bootlevel ${words.join(" ")}, over node -e 0`, ratios, { limit: 3, margin: 1.3 });
});
answer({ title: "Command start", figures });
