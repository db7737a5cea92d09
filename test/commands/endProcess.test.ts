/** The process ends when its output was taken: whatever is still open, and however slow the reader is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { beforeAll, expect, test } from "@jest/globals";

import { within } from "../support/eventually.js";
import { moduleOf } from "../support/sourceModule.js";

let module: string;

beforeAll(async () => {
  module = await moduleOf("src/commands/endProcess.ts");
});

/** Runs `code` with `endProcess` at hand. */
function run(name: string, code: string) {
  const file = join(dirname(module), `${name}.mjs`);
  writeFileSync(file, `import { endProcess } from ${JSON.stringify(pathToFileURL(module).href)};\n${code}`);
  return spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
}

const leaks = `import { createServer } from "node:net";
import { Worker } from "node:worker_threads";
setInterval(() => undefined, 1000);
createServer().listen(0);
new Worker("setInterval(() => undefined, 1000)", { eval: true });
`;

test("a timer, a server and a worker that are left open do not keep it, and its exit code stays", async () => {
  const child = run("leaks", `${leaks}process.stdout.write("result\\n");\nawait endProcess(3);`);
  child.stdout.resume();
  const [code, signal] = await within("it ends", once(child, "exit"), 20_000);
  expect({ code, signal }).toEqual({ code: 3, signal: null });
});

test("all of its output reaches a reader that is slower than the grace", async () => {
  const child = run("slow", `${leaks}process.stdout.write("x".repeat(3_000_000) + "end\\n");\nawait endProcess(1);`);
  const exited = once(child, "exit");
  await new Promise((resolve) => setTimeout(resolve, 2_500)); // the reader is slow
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  expect([text.length, text.slice(-4)]).toEqual([3_000_004, "end\n"]);
  expect(await exited).toEqual([1, null]);
});

test("a reader that is gone does not keep it either", async () => {
  const code = `process.stdout.on("error", () => undefined);\n${leaks}process.stdout.write("x".repeat(3_000_000));\nawait endProcess(4);`;
  const child = run("gone", code);
  child.stdout.destroy();
  expect(await within("it ends", once(child, "exit"), 20_000)).toEqual([4, null]);
});

test("a process that has nothing left to do ends without a grace", async () => {
  // The grace is longer than this test may take.
  const child = run("idle", `process.stdout.write("result\\n");\nawait endProcess(0, 600_000);`);
  child.stdout.resume();
  expect(await within("it ends", once(child, "exit"), 20_000)).toEqual([0, null]);
});
