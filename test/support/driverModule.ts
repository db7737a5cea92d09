/** Drivers of this folder as module files that a plan can name. Each brings its own copy of everything it imports. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll } from "@jest/globals";
import { build } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "bl-driver-"));
const built = new Map<string, Promise<unknown>>();

/** Bundles `test/support/<name>.ts`, once. @returns the module's file. */
export async function driverModule(name: string): Promise<string> {
  const file = join(folder, `${name}.mjs`);
  const known =
    built.get(name) ??
    build({
      entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
      outfile: file,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20.19",
      external: ["better-sqlite3", "ssh2"],
      logLevel: "error",
    });
  built.set(name, known);
  await known;
  return file;
}

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
