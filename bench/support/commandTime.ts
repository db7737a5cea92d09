/**
 * How long a command takes over the time of `node -e 0`: pairs in one run, so that a noisy machine disturbs both alike.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** @returns a ratio for each of so many pairs */
export function overNothing(words: readonly string[], home: string, pairs: number): number[] {
  const time = (all: readonly string[]): number => {
    const start = performance.now();
    execFileSync(process.execPath, all, { env: { ...process.env, BOOTLEVEL_HOME: home }, stdio: "ignore" });
    return performance.now() - start;
  };
  const command = [join(process.cwd(), "dist/cli.js"), ...words];
  return Array.from({ length: pairs }, () => time(command) / time(["-e", "0"]));
}
