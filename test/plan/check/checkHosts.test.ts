/** How a machine is reached: by a jump host or by a program, the nearer key of the two. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { isPlanError } from "../../../src/index.js";
import { loadPlan } from "../../../src/library/plans.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

async function load(defaults: string, service: string) {
  const file = join(temporaryDirectory(), "plan.yaml");
  writeFileSync(
    file,
    `plan: p
defaults: { ssh: { user: u${defaults} } }
levels:
  - services:
      a: { host: 10.0.0.1, boot: { command: x }, ssh: { port: 22${service} } }
      b: { host: 10.0.0.2, boot: { command: x } }
`,
  );
  return loadPlan(file);
}
const mistakes = async (defaults: string, service: string): Promise<string[]> =>
  load(defaults, service).then(
    () => [],
    (error: unknown) => {
      if (!isPlanError(error)) throw error;
      return error.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`);
    },
  );

const WORDS = 'cannot be used together with "jump": a machine is reached by one of them; remove one';

test("both at one place are a mistake, told once", async () => {
  expect(await mistakes("", ", jump: gate, proxy_command: nc")).toEqual([expect.stringContaining(WORDS)]);
  expect(await mistakes(", jump: gate, proxy_command: nc", "")).toEqual([expect.stringMatching(/^2:/)]);
});

test("of two places the nearer counts", async () => {
  const proxy = await load(", jump: gate", ", proxy_command: nc %h %p");
  expect(proxy.levels[0]?.services.map(({ ssh }) => [ssh.jump?.host ?? null, ssh.proxyCommand ?? null])).toEqual([
    [null, ["nc", "%h", "%p"]],
    ["gate", null],
  ]);
  const jump = await load(", proxy_command: nc %h %p", ", jump: gate");
  expect(jump.levels[0]?.services.map(({ ssh }) => [ssh.jump?.host ?? null, ssh.proxyCommand ?? null])).toEqual([
    ["gate", null],
    [null, ["nc", "%h", "%p"]],
  ]);
});
