/** `bootlevel rehearse`: a table for people, a document for scripts, an exit code for both. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";

const samples = fileURLToPath(new URL("../../plans", import.meta.url));
const plan = (facts: string) =>
  `plan: shop\nlevels:\n  - services: { db: { outputs: [id], boot: { command: "touch '${facts}/ran'" } } }\n  - services: { web: { replicas: 3, boot: { command: "x \${db.id}" }, ready: { command: y } } }\n`;

test("a plan that comes up each time is told as a table, ends with 0, and leaves the home alone", async () => {
  const own = installation();
  const ended = await own.call(["rehearse", own.plan(plan(own.facts)), "--runs", "5"]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toMatch(/^shop: 5 rehearsals, seed 1\n\nREADY +RUNS +SHARE\nat boot +5 of 5 +100%\n/);
  expect(ended.stdout).toMatch(/\nTIME UNTIL READY +50% WITHIN +95% WITHIN\nat boot +\dm \d\ds +\dm \d\ds\n/);
  expect(ended.stdout).toMatch(/\n\nEvery boot succeeded\.\n$/);
  expect([own.factNames(), existsSync(own.home)]).toEqual([[], false]);
});

test("faults are told with their cause, and what never comes up ends with 1", async () => {
  const own = installation();
  const folder = own.plan(plan(own.facts), {
    "faults.yaml":
      "script:\n  - { service: web-2, program: boot, exit: 9 }\n  - { service: db, at: 1ms, nth: every, fault: die }\n",
  });
  const ended = await own.call([
    "rehearse",
    folder,
    "--runs",
    "3",
    "--repairs",
    "1",
    "--faults",
    join(folder, "faults.yaml"),
  ]);
  expect(ended).toMatchObject({ code: 1, stderr: "" });
  expect(ended.stdout).toMatch(/\nat boot +0 of 3 +0%\nafter 1 repair +0 of 3 +0%\n/);
  expect(ended.stdout).toMatch(
    /\nNOT READY BECAUSE OF +STEP +AT BOOT +IN THE END +SEED +WHY\ndb +launch +3 +3 +1\.1 +machine i-… went to "terminated" before it could be reached: InstanceFailure: the simulated machine died\n/,
  );
});

test("--json is one document with all that the table says, and the same seed gives the same document", async () => {
  const own = installation();
  const folder = own.plan(plan(own.facts));
  writeFileSync(join(folder, "faults.yaml"), "programs: { boot: { fail: 0.3, exit: 7 } }");
  const words = ["rehearse", folder, "--runs", "8", "--seed", "x", "--faults", join(folder, "faults.yaml")];
  const { document, stderr } = await own.json(words);
  expect(stderr).toBe("");
  expect(document).toMatchObject({ version: 1, command: "rehearse", plan: "shop", seed: "x", runs: 8, repairs: 3 });
  expect(document.ready).toHaveLength(4);
  expect(document.causes.map(({ message }: { message: string }) => message)).toContain(
    "the boot program failed: exit code 7",
  );
  expect((await own.json(words)).document).toEqual(document);
});

test("the samples can be rehearsed: a plan of this computer, of hosts over SSH, and of a simulated cloud", async () => {
  const own = installation();
  for (const sample of ["web", "ssh", "sim"]) {
    const { document, stderr } = await own.json([
      "rehearse",
      join(samples, sample),
      "--runs",
      "2",
      "--repairs",
      "9",
      "--faults",
      join(samples, "sim/faults.yaml"),
    ]);
    expect([stderr, document.ready.at(-1)]).toEqual(["", 2]);
  }
  const { document } = await own.json(["rehearse", join(samples, "sim"), "--runs", "2"]);
  // Without a file of faults a simulated cloud keeps its own keys, and these are quick.
  expect(document).toMatchObject({ ready: [2, 2, 2, 2] });
  expect(document.ms.boot.p50).toBeLessThan(20_000);
});

test.each([
  ["a wrong number of runs", ["--runs", "0"], /--runs must be a whole number, 1 or more/],
  ["a wrong number of repairs", ["--repairs", "-1"], /--repairs must be a whole number, not "-1"/],
  ["a file of faults that is not there", ["--faults", "/nonexistent.yaml"], /nonexistent\.yaml: no such file/],
  ["two files of faults", ["--faults", "a", "--faults", "b"], /--faults can be given only once/],
])("%s is a wrong call", async (_what, words, message) => {
  const own = installation();
  const ended = await own.call(["rehearse", own.plan(plan(own.facts)), ...words]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toMatch(message);
});
