/**
 * Makes dist/ from src/, from scratch, so that a deleted source leaves nothing behind: declarations by the TypeScript
 * compiler, code by esbuild. The code is bundled, with the command's yargs in it, because reading a hundred small files
 * is most of what a short command costs; what a command does not use stays in chunks of its own.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

import { build } from "esbuild";

const { dependencies } = createRequire(import.meta.url)("./package.json");

rmSync("dist", { recursive: true, force: true });
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
execFileSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { stdio: "inherit" });
await build({
  entryPoints: ["src/cli.ts", "src/index.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  external: Object.keys(dependencies),
  legalComments: "eof",
  logLevel: "warning",
});
chmodSync("dist/cli.js", 0o755);
