/** An error that no command caught is told as a bug, with its details, and without any secret that the process knows. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { moduleOf } from "../support/sourceModule.js";
import { temporaryDirectory } from "../support/temporaryDirectory.js";

test.each(["setTimeout(() => { throw new Error(words); })", "void Promise.reject(new Error(words))"])(
  "%s",
  async (fault) => {
    const module = await moduleOf("test/support/unexpectedError.ts");
    const program = join(temporaryDirectory(), "program.mjs");
    const keep = "setTimeout(() => console.log('went on'), 5_000);";
    writeFileSync(
      program,
      `import { prepare } from ${JSON.stringify(module)};\nconst words = prepare("hunter2hunter2");\n${keep}\n${fault};\n`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^bootlevel: an unexpected error ended the command\. What it did is on record: bootlevel list\n {2}This is a bug in bootlevel\. Please report it with these details:\n\nError: the password is \[secret\]\n {4}at /,
    );
    expect(stderr).not.toContain("hunter2");
  },
);
