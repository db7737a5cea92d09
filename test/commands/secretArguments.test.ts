/** A value that turns out to contain a secret, in the arguments of a program: process lists show them. */
import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";

test("is warned of, and shown nowhere", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: p
clouds: { here: { driver: local } }
defaults: { cloud: here }
levels:
  - services:
      db: { outputs: [url, { name: token, secret: true }], boot: { command: 'printf "token=hunter2hunter2\\nurl=postgres://u:hunter2hunter2@db\\n" >>"$BOOTLEVEL_OUTPUT"' } }
  - services:
      web: { boot: { program: web.sh, args: [--db, "\${db.url}"] } }
      well: { boot: { program: web.sh, env: { DB: "\${db.url}" } } }
`,
    { "web.sh": '#!/bin/sh\necho "got $1 $2 $DB"\n' },
  );
  const booted = await own.call(["boot", folder, "--name", "r", "--verbose"]);
  expect(booted.code).toBe(0);
  const warnings = booted.stdout.split("\n").filter((line) => line.includes("warning"));
  expect(warnings).toEqual([
    expect.stringMatching(
      / warning web: argument 2 of the boot program contains a secret, and arguments are visible in process lists: pass the value in env$/,
    ),
  ]);
  const logs = await own.call(["logs", "r", "web"]);
  expect(logs.stdout).toContain("got --db [secret]");
  expect(booted.stdout + booted.stderr + logs.stdout).not.toContain("hunter2");
  expect((await own.call(["terminate", "r", "--yes"])).code).toBe(0);
});
