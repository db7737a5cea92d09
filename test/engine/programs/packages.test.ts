/**
 * The packages program, run by a real shell with this computer's real package manager, which is told of no place to
 * install from.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import {
  packagesProgram,
  PACKAGES_MISSING,
  NO_PACKAGE_MANAGER,
  type PackagesMode,
} from "../../../src/plan/compile/packages.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const hasApt = existsSync("/usr/bin/apt-get") && existsSync("/usr/bin/dpkg-query");
const testWithApt = hasApt ? test : test.skip;

/** apt without sources: what it would install it does not find, and no other computer is asked. */
function withoutSources(): Record<string, string> {
  const directory = temporaryDirectory();
  for (const folder of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(directory, folder), { recursive: true });
  const config = join(directory, "apt.conf");
  writeFileSync(
    config,
    `Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\nDir::State::lists "${directory}/lists";\nDir::Cache "${directory}/cache";\n`,
  );
  return { APT_CONFIG: config };
}

function run(
  packages: readonly string[],
  mode: PackagesMode,
  env: Record<string, string> = {},
): { code: number | null; output: string } {
  const { run: program, args } = packagesProgram(packages, mode, 1000);
  const line = program.kind === "command" ? program.line.map(String).join("") : "";
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", line, "sh", ...args.flat().map(String)], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    encoding: "utf8",
  });
  return { code: status, output: stdout + stderr };
}

const versionOf = (name: string): string =>
  spawnSync("dpkg-query", ["-W", "-f", "${Version}", name], { encoding: "utf8" }).stdout;

testWithApt("packages that are there are left alone, whatever the mode, also in a version that is asked for", () => {
  for (const mode of ["install", "check"] as const) {
    expect(run(["dpkg", `bash=${versionOf("bash")}`], mode, { APT_CONFIG: "/nonexistent" })).toEqual({
      code: 0,
      output: `all packages are there: dpkg bash=${versionOf("bash")}\n`,
    });
  }
});

testWithApt(
  "where nothing may be installed, those that are missing are named, and another version than the one that is there is missing",
  () => {
    const { code, output } = run(["dpkg", "bl-none-such", "bash=0.0-1"], "check");
    expect({ code, output }).toEqual({
      code: PACKAGES_MISSING,
      output:
        "not installed on this computer: bl-none-such bash=0.0-1 (bootlevel installs nothing here: install them yourself, with apt-get)\n",
    });
  },
);

testWithApt("what the package manager cannot install ends the program with its words and its exit code", () => {
  const { code, output } = run(["dpkg", "bl-none-such"], "install", withoutSources());
  expect(output).toContain("apt-get installs: bl-none-such");
  expect({ code, output }).toMatchObject({
    code: 100,
    output: expect.stringContaining("Unable to locate package bl-none-such"),
  });
});

test("a machine without a package manager that is known says so", () => {
  const { code, output } = run(["curl"], "install", { PATH: "/nonexistent" });
  expect({ code, output }).toMatchObject({
    code: NO_PACKAGE_MANAGER,
    output: expect.stringContaining("no package manager that bootlevel knows"),
  });
});
