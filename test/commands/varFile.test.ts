/** `--var-file`: a pipe, and a name that stands twice. */
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { CLI, installation, startProgram } from "../support/installation.js";

const PLAN = `plan: values
variables: { pw: { secret: true }, user: {} }
levels:
  - services:
      web: { boot: { command: "echo user=$U", env: { P: "\${var.pw}", U: "\${var.user}" } } }
`;

test("values may come through a pipe", async () => {
  const own = installation();
  const folder = own.plan(PLAN);
  const line = `exec "$0" "$1" boot "$2" --name v --var-file <(printf 'pw: hunter-two\\nuser: ada\\n')`;
  const env = { PATH: process.env["PATH"] ?? "", HOME: own.directory, BOOTLEVEL_HOME: own.home };
  const ended = await startProgram(["bash", "-c", line, process.execPath, CLI, folder], {
    env,
  }).ended;
  expect(ended).toMatchObject({ code: 0 });
  expect(await own.call(["logs", "v"])).toMatchObject({ stdout: expect.stringContaining("user=ada\n") });
  expect(await own.call(["terminate", "v", "--yes"])).toMatchObject({ code: 0 });
});

test("a name that stands twice is told; no value is shown, nor what could be one", async () => {
  const own = installation();
  const folder = own.plan(PLAN, {
    "twice.yaml": "pw: hunter-two\nuser: ada\npw: hunter-three\n",
    "alias.yaml": "pw: *hunter-two\nuser: ada\n",
  });
  const validate = (file: string) => own.call(["validate", folder, "--var-file", join(folder, file)]);
  const twice = await validate("twice.yaml");
  expect(twice.code).toBe(2);
  expect(twice.stderr).toContain('twice.yaml:3:1: duplicate key "pw", first used at line 1: remove or rename one');
  const alias = await validate("alias.yaml");
  expect(alias.stderr).toContain("alias.yaml:1:5: invalid YAML: put values with special characters in quotes");
  for (const { stdout, stderr } of [twice, alias]) expect(stdout + stderr).not.toContain("hunter");
});
