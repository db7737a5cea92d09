/** Compiles src/ to dist/ from scratch, so that a deleted source leaves nothing behind, and makes the command executable. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, [createRequire(import.meta.url).resolve("typescript/bin/tsc"), "-p", "tsconfig.build.json"], { stdio: "inherit" });
if (existsSync("dist/cli.js")) chmodSync("dist/cli.js", 0o755);
