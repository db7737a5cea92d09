/** The time of a command relative to `node -e 0`. Both are measured in pairs, so that noise affects both alike. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** @returns one ratio per pair */
export function overNothing(words: readonly string[], home: string, pairs: number): number[] {
  const time = (all: readonly string[]): number => {
    const start = performance.now();
    execFileSync(process.execPath, all, { env: { ...process.env, BOOTLEVEL_HOME: home }, stdio: "ignore" });
    return performance.now() - start;
  };
  const command = [join(process.cwd(), "dist/cli.js"), ...words];
  return Array.from({ length: pairs }, () => time(command) / time(["-e", "0"]));
}
