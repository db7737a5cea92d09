/** A lab ends with whoever opened it, also when that is killed. */
import { afterEach, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

import { eventually, isAlive } from "../support/eventually.js";
import { temporaryDirectory } from "../support/temporaryDirectory.js";

const SUPPORT = fileURLToPath(new URL("../support/ec2Lab/", import.meta.url));
/** Opens a lab's network with a machine in it, and a command, and tells their processes. */
const OWNER = `
import { spawn } from "node:child_process";
import { openNamespace } from "./namespace.ts";
const network = await openNamespace();
network.start("one", ["sh", "-c", "sleep 1000 & wait", "/mnt/machines/one"]);
const [program, ...words] = network.words(["sleep", "1000"]);
const command = spawn(program, words);
const tell = () => {
  try {
    process.stdout.write(JSON.stringify([network.firstProcess("/mnt/machines/one"), command.pid]) + "\\n");
  } catch {
    setTimeout(tell, 20);
  }
};
tell();
`;

let owner: ChildProcess | null = null;
afterEach(() => {
  owner?.kill("SIGKILL");
});

test("machines and commands of a lab die with a process that is killed", async () => {
  const outfile = join(temporaryDirectory(), "owner.mjs");
  await build({
    stdin: { contents: OWNER, resolveDir: SUPPORT },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    outfile,
    logLevel: "error",
    define: { "import.meta.url": JSON.stringify(pathToFileURL(join(SUPPORT, "namespace.ts")).href) },
  });
  owner = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  owner.stdout?.on("data", (chunk: Buffer) => {
    told += chunk.toString();
  });
  const line = await eventually("the lab's owner tells its processes", () => told.includes("\n") && told, 40_000);
  const pids = JSON.parse(line) as number[];
  expect(pids.map(isAlive)).toEqual([true, true]);
  owner.kill("SIGKILL");
  await eventually("nothing is left", () => !pids.some(isAlive));
});
