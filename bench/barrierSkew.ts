/**
 * Barriers: the time between the first and the last program that a barrier releases, on one computer. Uses
 * plans/netbench with 20 clients.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { answer, figure, isGuard } from "./support/answer.js";
import { temporaryFolder } from "./support/simulated.js";

const CLIENTS = 20;
const TIMES = isGuard ? 3 : 9;
const home = temporaryFolder();

/** The skew of one start, in milliseconds. The clients' later work does not count. */
async function skew(): Promise<number> {
  const words = [
    "dist/cli.js",
    "run",
    "plans/netbench",
    "--replicas",
    `client=${CLIENTS}`,
    "--var",
    "scenarios=roundtrip",
    "--var",
    "duration_ms=100",
  ];
  const { stdout } = await promisify(execFile)(process.execPath, words, {
    env: { ...process.env, BOOTLEVEL_HOME: home },
  });
  const [, ms] = /start skew ([\d.]+) ms/.exec(stdout) ?? [];
  if (ms === undefined) throw new Error(`no start skew in ${stdout}`);
  return Number(ms);
}

const measured: number[] = [];
for (let time = 1; time <= TIMES; time += 1) measured.push(await skew());
answer({
  title: "Barriers: how far apart programs are let go (plans/netbench, on this computer)",
  // The measurement includes interruptions by other work on the computer.
  figures: [figure(`first to last of ${CLIENTS} clients`, measured, { unit: " ms", limit: 20, margin: 4 })],
});
