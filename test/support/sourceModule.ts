/** A module of the source, with all that it imports, as a file that another process can load. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll } from "@jest/globals";
import { build } from "esbuild";

const folders: string[] = [];

/** @param source its path, from the project's folder. @returns the file's path; it goes after the tests of the file. */
export async function moduleOf(source: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bootlevel-module-"));
  folders.push(folder);
  const outfile = join(folder, "module.mjs");
  const entry = fileURLToPath(new URL(`../../${source}`, import.meta.url));
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  return outfile;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
