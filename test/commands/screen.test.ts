/** What the command prints: help, completion, version, and how it behaves in a pipe. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { test, expect } from "@jest/globals";

import { endOf } from "../support/children.js";
import { CLI, installation } from "../support/installation.js";

const commands = ["boot", "status", "terminate", "list", "show", "logs", "events", "validate"];

test("--help lists every command, the exit codes, and examples", async () => {
  const { code, stdout, stderr } = await installation().call(["--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const command of [...commands, "completion"])
    expect(stdout).toMatch(new RegExp(`^ +bootlevel ${command}\\b`, "m"));
  for (const words of ["Examples:", "Exit codes:", "130"]) expect(stdout).toContain(words);
});

test.each([...commands, "completion"])("%s --help has an example", async (command) => {
  const { code, stdout, stderr } = await installation().call([command, "--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(new RegExp(`Examples:\\s+bootlevel ${command}`));
});

test("--version prints the package's version", async () => {
  const { version } = JSON.parse(
    readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8"),
  ) as { version: string };
  expect(await installation().call(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("completion prints a script that bash takes", async () => {
  const own = installation();
  const { code, stdout } = await own.call(["completion"]);
  expect(code).toBe(0);
  expect(stdout).toContain("bootlevel");
  execFileSync("bash", ["-n", "-c", stdout]);
});

test("completion offers commands, and runs where a run is wanted", async () => {
  const own = installation();
  await own.call(["boot", own.plan("plan: c\nlevels: []\n"), "--name", "completed"]);
  expect((await own.call(["--get-yargs-completions", "bootlevel", ""])).stdout.split("\n")).toEqual(
    expect.arrayContaining(commands),
  );
  expect((await own.call(["--get-yargs-completions", "bootlevel", "status", ""])).stdout.split("\n")).toContain(
    "completed",
  );
});

const colourful =
  "plan: red\nlevels: [{ name: one, services: { a: { boot: { command: \"printf '\\\\033[31mred\\\\033[0m \\\\033]0;title\\\\007 \\\\rback\\\\n'; exit 1\" } } } }]\n";

test("what goes to a pipe or a file has no escape codes, whatever programs print", async () => {
  const own = installation();
  const folder = own.plan(colourful);
  const calls = [await own.call(["boot", folder, "--name", "red", "--verbose"])];
  for (const words of [
    ["list"],
    ["show", "red"],
    ["logs", "red"],
    ["events", "red"],
    ["status", "red"],
    ["--help"],
    ["validate", folder],
    ["terminate", "red", "--yes"],
  ])
    calls.push(await own.call(words, { env: { TERM: "xterm-256color" } }));
  for (const { stdout, stderr } of calls)
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f\u009b]/);
  expect(calls[0]?.stdout).toContain("red");
});

test("NO_COLOR and a dumb terminal are heard, FORCE_COLOR does not colour a document", async () => {
  const own = installation();
  const { stdout } = await own.call(["list", "--json"], { env: { FORCE_COLOR: "1" } });
  expect(stdout).not.toContain("\u001b");
});

test("`boot | head -1` does not end the boot", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: pipe\nlevels:\n${Array.from({ length: 5 }, (_, index) => `  - { name: l${index}, services: { s${index}: { boot: { command: "seq 1 20000; sleep 0.1; echo ${index} >> '${own.facts}/ran'" } } } }\n`).join("")}`,
  );
  const shell = spawn(
    "bash",
    [
      "-c",
      'set -o pipefail; "$0" "$1" boot "$2" --name pipe --verbose 2>&1 | head -1; echo "${PIPESTATUS[0]}"',
      process.execPath,
      CLI,
      folder,
    ],
    {
      env: { PATH: process.env["PATH"] ?? "", HOME: own.directory, BOOTLEVEL_HOME: own.home },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const { stdout: shown } = await endOf("boot | head", shell);
  expect(own.fact("ran")).toBe("0\n1\n2\n3\n4\n");
  expect(shown).toMatch(/run pipe boot[^\n]*\n0\n$/);
  expect((await own.json(["list"])).document.runs).toMatchObject([{ name: "pipe", state: "ready" }]);
});

test("a boot whose terminal is gone (stdout and stderr closed) still boots", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: closed\nlevels: [{ name: one, services: { a: { boot: { command: "touch '${own.facts}/ran'" } } } }]\n`,
  );
  execFileSync("bash", ["-c", '"$0" "$1" boot "$2" --name closed >&- 2>&-', process.execPath, CLI, folder], {
    env: { PATH: process.env["PATH"] ?? "", HOME: own.directory, BOOTLEVEL_HOME: own.home },
  });
  expect(own.fact("ran")).toBe("");
});
