/** What cannot be sent to a machine, and addresses that nobody can connect to: told before anything starts. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { loadPlan } from "../../../src/plan/load.js";
import { hostProblem } from "../../../src/plan/launchPlan/hostProblem.js";
import { mistakesOf, planFolder, sentences } from "../planFolder.js";

const PLAN = `plan: a
levels:
  - services:
      a: { boot: { program: ok.sh, files: [data] } }
`;

/** The mistakes of a plan that sends a folder, which `fill` fills. */
async function sending(fill: (folder: string) => void): Promise<string[]> {
  const folder = planFolder({ "plan.yaml": PLAN });
  mkdirSync(join(folder, "data", "sub"), { recursive: true });
  fill(join(folder, "data"));
  return sentences(loadPlan(join(folder, "plan.yaml")));
}

test("links that lead nowhere, Emacs's among them", async () => {
  const found = await sending((data) => {
    symlinkSync("joe@pc.4711:1", join(data, ".#notes"));
    symlinkSync("gone", join(data, "sub", "link"));
  });
  expect(found).toEqual([
    '4: "data" cannot be sent to a machine: "data/.#notes" is a link to something that does not exist: Emacs makes one ' +
      'while a file is edited. Save the file, or remove the link; "data/sub/link" is a link to something that does not ' +
      "exist: remove or correct it",
  ]);
});

test("names that are not UTF-8, loops, and what is no file; three are named, the others counted", async () => {
  const found = await sending((data) => {
    writeFileSync(Buffer.concat([Buffer.from(join(data, "b")), Buffer.from([0xff])]), "");
    symlinkSync("..", join(data, "sub", "up"));
    for (const name of ["c", "d"]) symlinkSync("gone", join(data, name));
  });
  expect(found).toEqual([
    '4: "data" cannot be sent to a machine: "data/b\ufffd" has a name that is not UTF-8: rename it; "data/c" is a link to ' +
      'something that does not exist: remove or correct it; "data/d" is a link to something that does not exist: remove ' +
      "or correct it; and 1 more",
  ]);
});

test("programs without a byte", async () => {
  const plan = `plan: a
levels:
  - services:
      a: { boot: none.sh }
      b: { ready: folder }
`;
  expect(await mistakesOf(plan, { "none.sh": "", "folder/run.sh": "" })).toEqual([
    '4: program "none.sh" is empty: it has 0 bytes',
    '5: program "folder/run.sh" is empty: it has 0 bytes',
  ]);
});

test.each([
  ["joe@h", '"joe@h" has a user in it: write "h", and the user under its own key, user'],
  ["h:22", '"h:22" has a port in it: write "h", and the port under its own key, port'],
  ["[::1]", '"[::1]" has brackets: write "::1"'],
  ["[::1]:22", '"[::1]:22" has a port in it: write "::1", and the port under its own key, port'],
  ["ssh://h/", '"ssh://h/" is a URL: write the address alone, "h/"'],
  ["a b", '"a b" is no address: it has a blank in it'],
  ["10.0.0.0/8", '"10.0.0.0/8" is no address: it has a slash in it'],
  ["h", null],
  ["10.0.0.4", null],
  ["::1", null],
  ["fe80::1%eth0", null],
  ["h.example.com", null],
])("the address %s", (host, problem) => {
  expect(hostProblem(host)).toBe(problem);
});

test("addresses in pools, of services and of jump hosts; references are not judged", async () => {
  const plan = `plan: a
variables: { h: {} }
clouds:
  pool: { driver: existing, hosts: ["joe@h1", { host: "h2:22" }, "\${var.h}", "::1"] }
levels:
  - services:
      a: { host: "joe@h", boot: ok.sh, ssh: { identity: ok.sh, jump: { host: "j:22" } } }
      b: { host: "x\${var.h}", boot: ok.sh, ssh: { identity: ok.sh } }
`;
  expect(await mistakesOf(plan)).toEqual([
    '4: "joe@h1" has a user in it: write "h1", and the user under its own key, user',
    '4: "h2:22" has a port in it: write "h2", and the port under its own key, port',
    '7: "joe@h" has a user in it: write "h", and the user under ssh: { user, port }',
    '7: "j:22" has a port in it: write "j", and the port under its own key, port',
  ]);
});
