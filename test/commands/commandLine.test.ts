/** Each option has the value that it says, or the call is a mistake: nothing is silently something else. */
import { expect, test } from "@jest/globals";

import { checkedWords, optionsOf } from "../../src/commands/commandLine.js";
import { UsageError } from "../../src/commands/exitCodes.js";
import * as boot from "../../src/commands/boot.js";
import * as clean from "../../src/commands/clean.js";
import * as reports from "../../src/commands/reports.js";
import { installation } from "../support/installation.js";

const fine = "plan: fine\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: 'true' } }\n";

const spellings = ["true", "True", "TRUE", "1", "yes", "Yes", "YES"];
const negations = ["false", "False", "0", "no", "NO"];

test.each(["--dryRun", "--dry-run=True", "--dry-run=1"])("boot %s starts nothing", async (option) => {
  const own = installation();
  const ended = await own.call(["boot", own.plan(fine), option]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toContain("Nothing was started (--dry-run).");
  expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
});

test("boot --dry-run=maybe is a mistake, and starts nothing", async () => {
  const own = installation();
  const ended = await own.call(["boot", own.plan(fine), "--dry-run=maybe"]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain('--dry-run is either true or false, not "maybe"');
  expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
});

const read = (command: { builder: unknown }, words: readonly string[]) =>
  checkedWords(words, optionsOf(command.builder as never));

test.each(spellings)("the spelling %s turns a boolean option on", (value) => {
  expect(read(boot, [`--dry-run=${value}`, `--dryRun=${value}`])).toEqual(["--dry-run", "--dry-run"]);
});

test.each(["on", "maybe", "", "2", "y", "tru", " true", "dry"])("%j is no value of a boolean option", (value) => {
  expect(() => read(boot, [`--dry-run=${value}`])).toThrow(
    new UsageError(`--dry-run is either true or false, not "${value}": write --dry-run or --no-dry-run`),
  );
});

test("negated spellings turn a boolean option off, also by its alias", () => {
  for (const value of negations) expect(read(boot, [`--dry-run=${value}`])).toEqual(["--no-dry-run"]);
  expect(read(clean, ["-a=yes", "-y=0", "--no-yes", "-ay"])).toEqual(["--all", "--no-yes", "--no-yes", "-ay"]);
});

test("words that are right are left alone", () => {
  const words = ["boot", "shop", "--name", "-x", "--var", "a=", "--var=b=1", "--set", "a.b=", "--concurrency=0012"];
  expect(read(boot, words)).toEqual(words);
  expect(read(reports, ["-m", "*.json", "--", "", "--collect=on"])).toEqual(["-m", "*.json", "--", "", "--collect=on"]);
});

test.each([
  ["an exponent", ["--concurrency", "1e3"], '--concurrency must be a whole number, not "1e3"'],
  ["a hexadecimal number", ["--concurrency=0x10"], '--concurrency must be a whole number, not "0x10"'],
  ["a blank", ["--concurrency", " "], '--concurrency must be a whole number, not " "'],
  ["a negative number", ["--concurrency", "-1"], '--concurrency must be a whole number, not "-1"'],
  ["a fraction", ["--concurrency", "1.0"], '--concurrency must be a whole number, not "1.0"'],
  ["no number", ["--concurrency", "NaN"], '--concurrency must be a whole number, not "NaN"'],
  [
    "a number beyond all use",
    ["--concurrency", "1".repeat(16)],
    `--concurrency must be a whole number, not "${"1".repeat(16)}"`,
  ],
  ["an empty number", ["--concurrency="], "--concurrency has an empty value"],
  ["an empty name", ["--name="], "--name has an empty value"],
  ["an empty name as a word of its own", ["--name", ""], "--name has an empty value"],
  ["an empty file", ["--var-file", ""], "--var-file has an empty value"],
  ["an empty plan", [""], "an argument is empty: leave it out, or check the variable that it comes from"],
  ["two names", ["--name", "a", "--name=b"], "--name can be given only once"],
  ["two numbers", ["--concurrency=1", "--concurrency=2"], "--concurrency can be given only once"],
  ["a negated name", ["--no-name"], "--no-name: --name takes a value and cannot be negated"],
])("%s is a mistake", (_what, words, message) => {
  expect(() => read(boot, words)).toThrow(new UsageError(message));
});

test.each([
  ["a value of a letter", ["clean", "-a5"], "-a5: there is no option -5"],
  ["a key below an option", ["terminate", "x", "--yes.really"], "Unknown argument"],
  [
    "a concurrency of 0",
    ["boot", "x.yaml", "--concurrency", "0"],
    "--concurrency must be a whole number from 1 to 10000",
  ],
  ["a concurrency that a plan may not say", ["boot", "x.yaml", "--concurrency=10001"], "from 1 to 10000"],
  ["an empty run", ["status", ""], "an argument is empty"],
])("%s is a wrong call", async (_what, words, message) => {
  const ended = await installation().call(words);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain(message);
});

test("--json=yes is --json, for errors too", async () => {
  const own = installation();
  expect(JSON.parse((await own.call(["list", "--json=yes"])).stdout)).toMatchObject({ command: "list" });
  expect(JSON.parse((await own.call(["show", "ghost", "--json=1"])).stdout)).toMatchObject({
    error: { code: "UNKNOWN_RUN" },
  });
});

test("words after -- reach the machine as they are", async () => {
  const own = installation();
  await own.call(["boot", own.plan(fine), "--name", "w"]);
  expect(await own.call(["ssh", "w", "a", "--", "echo", "1e3", "0x10", "1.50", "--json"])).toMatchObject({
    code: 0,
    stdout: "1e3 0x10 1.50 --json\n",
  });
});
