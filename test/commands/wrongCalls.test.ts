/** Exit code 2: the plan or the call is wrong, and nothing was started. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { installation } from "../support/installation.js";

const fine = "plan: fine\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: 'true' } }\n";

const wrong = `plan: wrong
clouds: { here: { driver: local } }
levels:
  - name: one
    services:
      db: { cloud: heer, boot: missing.sh }
  - name: two
    services:
      web: { boot: { command: "echo \${bd.host}" }, timeout: fast }
`;

test.each(["validate", "boot"])(
  "%s prints every mistake of a plan on stderr, each with file, line and column",
  async (verb) => {
    const own = installation();
    const folder = own.plan(wrong);
    const ended = await own.call([verb, folder]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    const lines = [...ended.stderr.matchAll(/launch\.yaml:(\d+):\d+/g)].map(([, line]) => Number(line));
    expect(lines).toEqual([6, 6, 9, 9]);
    for (const words of [/did you mean "here"/, /missing\.sh/, /did you mean "db"/, /fast/])
      expect(ended.stderr).toMatch(words);
    expect(existsSync(join(own.home, "runs"))).toBe(false);
    expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
  },
);

test("a wrong plan with --json is one document with all mistakes", async () => {
  const own = installation();
  const { code, document, stderr } = await own.json(["validate", own.plan(wrong)]);
  expect(code).toBe(2);
  expect(stderr).toBe("");
  expect(document.error.mistakes.map(({ line }: { line: number }) => line)).toEqual([6, 6, 9, 9]);
});

test("a plan that is not there is named", async () => {
  const own = installation();
  const ended = await own.call(["boot", join(own.directory, "nowhere.yaml")]);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain("nowhere.yaml");
});

test.each(["status", "terminate", "show", "logs", "events"])(
  "%s of an unknown run ends with 2 and names it",
  async (verb) => {
    const own = installation();
    const ended = await own.call([verb, "ghost"]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("ghost");
  },
);

test.each([
  ["an unknown option", ["boot", "x.yaml", "--nmae", "x"], /nmae[\s\S]*name/],
  ["an unknown option of list", ["list", "--al"], /al[\s\S]*all/],
  ["an unknown command", ["bot"], /boot/],
  ["no command", [], /no command given/],
  ["a missing plan", ["boot"], /plan|argument/i],
  ["a deadline longer than a plan may say", ["run", "x.yaml", "--deadline", "boot=25d"], /at most 24d/],
  ["an option without its value", ["boot", "x.yaml", "--name"], /name/],
])("%s ends with 2 and says what would be right", async (_what, words, said) => {
  const own = installation();
  const ended = await own.call(words);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toMatch(said);
  expect(ended.stderr).not.toContain("a bug in bootlevel");
});

test.each(["Shop", "1shop", "shop_1", "../shop", "", "a".repeat(64), "shöp"])(
  "--name %j is refused before anything is started",
  async (name) => {
    const own = installation();
    const ended = await own.call(["boot", own.plan(fine), "--name", name]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/name/);
    expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
  },
);

test("a run's name that is taken is refused until that run is terminated, and may then be used again", async () => {
  const own = installation();
  const plan = own.plan(fine);
  expect((await own.call(["boot", plan, "--name", "shop"])).code).toBe(0);
  const again = await own.call(["boot", plan, "--name", "shop"]);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain("bootlevel terminate shop");
  expect((await own.call(["terminate", "shop", "--yes"])).code).toBe(0);
  expect((await own.call(["boot", plan, "--name", "shop"])).code).toBe(0);
  expect(
    (await own.json(["list", "--all"])).document.runs.map(({ name, state }: { name: string; state: string }) => [
      name,
      state,
    ]),
  ).toEqual([
    ["shop", "terminated"],
    ["shop", "ready"],
  ]);
});

test("every missing variable is named with its place and what would give it a value; unknown ones with a suggestion", async () => {
  const own = installation();
  const plan = own.plan(
    "plan: needy\nvariables:\n  greeting: {}\n  password: { secret: true, env: SHOP_PASSWORD }\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: 'echo ${var.greeting} ${env.NOWHERE_SET}', env: { P: '${var.password}' } } }\n",
  );
  const ended = await own.call(["boot", plan, "--var", "greting=Hi"]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  for (const words of [
    /did you mean "greeting"/,
    /launch\.yaml:3:3/,
    /launch\.yaml:4:3/,
    /SHOP_PASSWORD/,
    /NOWHERE_SET/,
  ])
    expect(ended.stderr).toMatch(words);
  expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
});

test("--dry-run checks everything, says what would start, and starts and records nothing", async () => {
  const own = installation();
  const plan = own.plan(fine);
  const ended = await own.call(["boot", plan, "--dry-run"]);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain("1 service in 1 level, 1 machine to start");
  expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
  expect((await own.call(["boot", own.plan(wrong, {}, "other"), "--dry-run"])).code).toBe(2);
});

test("a state that cannot be used ends with 2, a reason and a remedy, and is not overwritten", async () => {
  const own = installation();
  own.plan("this is no database, and it is long enough to be taken for one ".repeat(20), {}, "home");
  const { renameSync, readFileSync } = await import("node:fs");
  renameSync(join(own.home, "launch.yaml"), join(own.home, "bootlevel.db"));
  const before = readFileSync(join(own.home, "bootlevel.db"));
  const ended = await own.call(["list"]);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toMatch(/bootlevel\.db.*\n.*overwritten/);
  expect(readFileSync(join(own.home, "bootlevel.db")).equals(before)).toBe(true);
});

test.each(["0", "1001", "many", "-1", "3.5"])(
  "a number of handshakes that cannot be (%s) is named before anything is done",
  async (handshakes) => {
    const own = installation();
    const ended = await own.call(["boot", own.plan(fine)], { env: { BOOTLEVEL_HANDSHAKES: handshakes } });
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain(`BOOTLEVEL_HANDSHAKES must be a whole number from 1 to 1000, not "${handshakes}"`);
    expect((await own.json(["list", "--all"])).document.runs).toEqual([]);
  },
);
