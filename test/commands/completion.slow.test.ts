/** Completion as a shell does it: by pressing Tab, and by what the shells' scripts ask. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { CLI, installation, type Installation } from "../support/installation.js";
import { atTerminal } from "../support/terminal.js";

const SHELL_PATHS = { bash: "/usr/bin/bash", zsh: "/usr/bin/zsh", fish: "/usr/bin/fish" } as const;
type Shell = keyof typeof SHELL_PATHS;
const shells = (Object.keys(SHELL_PATHS) as Shell[]).filter((shell) => existsSync(SHELL_PATHS[shell]));

async function twoRuns(): Promise<Installation> {
  const own = installation();
  const folder = own.plan("plan: c\nlevels:\n  - name: one\n    services: { web: { replicas: 2 }, db: {} }\n");
  await own.call(["boot", folder, "--name", "living"]);
  await own.call(["boot", folder, "--name", "gone"]);
  await own.call(["terminate", "gone", "--yes"]);
  return own;
}

async function asked(own: Installation, ...words: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await own.call(["--complete", "bash", ...words]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").filter((line) => line !== "");
}

test("commands, options, their values, runs, services and files are offered where they make sense", async () => {
  const own = await twoRuns();
  expect(await asked(own, "re")).toEqual(["repair", "rerun", "reload", "reboot", "reports", "rehearse"]);
  expect(await asked(own, "boot", "")).toEqual([":files"]);
  expect(await asked(own, "boot", "--dry")).toEqual(["--dry-run"]);
  expect(await asked(own, "boot", "--dry-run", "--dry")).toEqual([]);
  expect(await asked(own, "boot", "--var", "a=b", "--var")).toEqual(["--var", "--var-file"]);
  expect(await asked(own, "boot", "--var-file", "")).toEqual([":files"]);
  expect(await asked(own, "boot", "--resume", "")).toEqual(["living"]);
  expect(await asked(own, "run", "--keep=on")).toEqual(["--keep=on-error", "--keep=on-success"]);
  expect(await asked(own, "reload", "living", "")).toEqual([":files"]);
  expect(await asked(own, "image", "")).toEqual(["build", "list", "remove"]);
  expect(await asked(own, "ssh", "living", "we")).toEqual(["web", "web-1", "web-2"]);
  expect(await asked(own, "repair", "living", "--replace", "d")).toEqual(["db"]);
  expect(await asked(own, "completion", "")).toEqual(["bash", "zsh", "fish"]);
});

test("terminated runs are offered only where their record is read", async () => {
  const own = await twoRuns();
  for (const command of ["status", "terminate", "repair", "ssh", "reboot", "abort"])
    expect([command, await asked(own, command, "")]).toEqual([command, ["living"]]);
  for (const command of ["show", "logs", "history", "events", "analyze", "reports"])
    expect([command, (await asked(own, command, "")).sort()]).toEqual([command, ["gone", "living"]]);
  expect(await asked(own, "terminate", "living", "")).toEqual([]);
});

test("what has no answer is no error: unknown commands and runs, half words, no record", async () => {
  const own = installation();
  for (const words of [["nope", "x"], ["sta", ""], ["logs", "ghost", ""], ["status", "--timeo"], ["list", ""], []])
    expect(await asked(own, ...words)).toEqual(
      words.includes("--timeo") ? ["--timeout"] : words.length === 0 ? expect.arrayContaining(["boot"]) : [],
    );
  writeFileSync(join(own.directory, "file"), "");
  const { code, stderr } = await own.call(["--complete", "zsh", "status", ""], {
    env: { BOOTLEVEL_HOME: join(own.directory, "file") },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("--json gives the script in a document", async () => {
  const own = installation();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout } = await own.call(["completion", shell]);
    expect((await own.json(["completion", shell])).document).toMatchObject({ shell, script: stdout });
  }
  const { document } = await own.json(["completion"], { env: { SHELL: "/usr/bin/fish" } });
  expect(document.shell).toBe("fish");
});

/** How each shell is started without anybody's settings, and reads a script. */
const START: Readonly<Record<Shell, (script: string) => readonly (readonly string[])[]>> = {
  bash: (script) => [["bash", "--norc", "--noprofile", "-i"], [`source ${script}`]],
  zsh: (script) => [
    ["zsh", "-f", "-i"],
    ["autoload -Uz compinit && compinit -u -d ./dump", `source ${script}`],
  ],
  fish: (script) => [["fish", "--no-config", "-i"], [`source ${script}`]],
};

/** What a line has become after Tab. */
async function pressTab(own: Installation, shell: Shell, line: string): Promise<string> {
  const bin = join(own.directory, "bin");
  mkdirSync(bin, { recursive: true });
  const command = join(bin, "bootlevel");
  if (!existsSync(command)) symlinkSync(CLI, command);
  writeFileSync(join(own.directory, "script"), (await own.call(["completion", shell])).stdout);
  const env = {
    PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    HOME: own.directory,
    BOOTLEVEL_HOME: own.home,
    TERM: "dumb",
  };
  if (shell === "fish") {
    // It completes a line that it is given just as one that is typed.
    const { screen } = await atTerminal(["fish", "--no-config", "-c", `source script; complete -C '${line}'`], {
      env,
      cwd: own.directory,
    });
    return screen
      .split(/\r?\n/)
      .map((found) => found.split("\t")[0] ?? "")
      .filter((found) => found !== "")
      .join(" ");
  }
  const [words = [], lines = []] = START[shell]("./script");
  const { screen } = await atTerminal(words, {
    env,
    cwd: own.directory,
    columns: 200,
    typing: [
      ["# ", "PS1='REA''DY> '\n"],
      ...lines.map((one) => ["READY> ", `${one}\n`] as const),
      ["READY> ", `${line}\t\u0001echo LINE=\u0005\n`],
      ["\nLINE=", "exit\n"],
    ],
  });
  return /^LINE=(.*?)\s*$/m.exec(screen)?.[1] ?? screen;
}

test.each(shells)(
  "%s completes by Tab",
  async (shell) => {
    const own = await twoRuns();
    mkdirSync(join(own.directory, "a folder"));
    const whole = (line: string, word: string) => (shell === "fish" ? word : line);
    expect(await pressTab(own, shell, "bootlevel valid")).toBe(whole("bootlevel validate", "validate"));
    expect(await pressTab(own, shell, "bootlevel boot --conc")).toBe(
      whole("bootlevel boot --concurrency", "--concurrency"),
    );
    expect(await pressTab(own, shell, "bootlevel status li")).toBe(whole("bootlevel status living", "living"));
    expect(await pressTab(own, shell, "bootlevel run --keep=on-e")).toBe(
      whole("bootlevel run --keep=on-error", "--keep=on-error"),
    );
    expect(await pressTab(own, shell, "bootlevel boot a")).toMatch(/a folder\/?$/);
  },
  120_000,
);
