/** What runs keep as files, worked on by processes of their own: another launcher, or a user who may not. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll } from "@jest/globals";
import { build } from "esbuild";

const source = (path: string) => fileURLToPath(new URL(`../../src/state/files/${path}`, import.meta.url));
let folder: Promise<string> | null = null;

afterAll(async () => {
  if (folder !== null) rmSync(await folder, { recursive: true, force: true });
});

/** The code as one module that everybody may read. */
async function buildModule(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bootlevel-files-"));
  const stdin = {
    contents: `export { locateHome } from ${JSON.stringify(source("home.ts"))};
export { localFiles } from ${JSON.stringify(source("localFiles.ts"))};`,
    resolveDir: "/",
  };
  const outfile = join(folder, "files.mjs");
  await build({
    stdin,
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  chmodSync(folder, 0o755);
  return folder;
}

/** Nobody's number: a user who owns nothing. */
const NOBODY = 65_534;

/**
 * Runs a piece of JavaScript with `files` of that home.
 * @param unprivileged as a user without rights, where this process has all of them.
 * @returns what it returned; of an error, its name, message and remedy.
 */
export async function inProcess(home: string, work: string, { unprivileged = false } = {}): Promise<unknown> {
  const place = await (folder ??= buildModule());
  const script = join(place, `${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(
    script,
    `import { locateHome, localFiles } from "./files.mjs";
const files = localFiles(locateHome(process.argv[2]));
const work = async () => { ${work} };
const told = await work().catch(({ name, message, remedy }) => ({ name, message, remedy }));
process.stdout.write(JSON.stringify(told ?? null));
`,
  );
  const node = [process.execPath, script, home];
  const asNobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", ...node];
  const [command = "", ...words] = unprivileged && process.getuid?.() === 0 ? asNobody : node;
  const child = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return JSON.parse(text) as unknown;
}
