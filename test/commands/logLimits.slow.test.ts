/** What programs print has a limit on the launcher's disk, and secrets stay secret where it is cut. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { levels, shownServices } from "../support/liveRun.js";

const GAP = /\n--- \d+ bytes were cut out after byte \d+ \(log_limit\)\n/;

const logOf = (own: Installation, name: string): string =>
  join(own.home, "runs", readdirSync(join(own.home, "runs"))[0] as string, "logs", name);

test("a log keeps its beginning and its end, by the plan's limit or the service's own; the report has the same", async () => {
  const own = installation();
  const print = (lines: number) =>
    `{ boot: { command: "echo begun; seq 1 ${lines}; echo over" }, report: { patterns: [none] }`;
  const folder = own.plan(
    levels("logs", [`a: ${print(100_000)} }\nb: ${print(100_000)}, log_limit: 2MiB }`], "log_limit: 128KiB\n"),
  );
  expect(await own.call(["boot", folder, "--name", "logs"])).toMatchObject({ code: 0 });
  const text = readFileSync(logOf(own, "a.boot.log"), "utf8");
  expect(statSync(logOf(own, "a.boot.log")).size).toBeLessThanOrEqual(131_072);
  expect(text).toMatch(GAP);
  expect(text).toMatch(/^--- .*\nbegun\n1\n2\n3\n/);
  expect(text).toMatch(/\n99999\n100000\nover\n--- .*exit code 0/);
  expect(readFileSync(logOf(own, "b.boot.log"), "utf8")).toContain("\n50000\n");
  const shown = (await own.call(["logs", "logs", "a"])).stdout;
  expect(shown).toContain("a boot | 99999\n");
  expect(shown).toMatch(/a boot \| --- \d+ bytes were cut out after byte \d+ \(log_limit\)\n/);
  expect(await own.call(["terminate", "logs", "--yes"])).toMatchObject({ code: 0 });
  expect((await own.call(["reports", "logs", "a", "--open", "boot.log"])).stdout).toBe(text);
});

test.each(["0", "1000", "3 lines", "1TiB", "-1MiB", "64MB", "1KiB"])(
  "log_limit: %s is a mistake that says what would be right",
  async (limit) => {
    const own = installation();
    const ended = await own.call(["validate", own.plan(levels("bad", ["a: {}"], `log_limit: ${limit}\n`))]);
    expect(ended.code).toBe(2);
    expect(ended.stdout + ended.stderr).toMatch(/no unit|is not a size|is out of range/);
  },
);

test("following a log that is cut meanwhile shows its end, and says what is missing", async () => {
  const own = installation();
  const folder = own.plan(
    levels(
      "follow",
      [`a: { boot: { command: "seq 1 100000; sleep 1; seq 100001 200000; sleep 1; echo over" } }`],
      "log_limit: 256KiB\n",
    ),
  );
  const boot = own.start(["boot", folder, "--name", "follow"]);
  let follow = await own.call(["logs", "follow", "--follow"]);
  for (let tries = 0; follow.code === 2 && tries < 50; tries += 1)
    follow = await own.call(["logs", "follow", "--follow"]);
  expect((await boot.ended).code).toBe(0);
  expect(follow.code).toBe(0);
  expect(follow.stdout).toContain("a boot | 200000\n");
  expect(follow.stdout).toContain("a boot | over\n");
  expect(follow.stdout).toContain("bytes were cut out after byte");
}, 60_000);

test("a secret at a cut shows in no half: neither in the log nor on the screen nor in the report", async () => {
  const own = installation();
  const secret = "c0rrect-horse-battery-staple-0123456789";
  const script = `#!/bin/sh\necho "token=${secret}" >> "$BOOTLEVEL_OUTPUT"\ni=0; while [ $i -lt 40000 ]; do echo "$i ${secret.repeat(8)}"; i=$((i+1)); done\n`;
  const folder = own.plan(
    levels(
      "hush",
      ["a: { outputs: [{ name: token, secret: true }], boot: boot.sh, report: { patterns: [none] } }"],
      "log_limit: 100KiB\n",
    ),
    { "boot.sh": script },
  );
  const booted = await own.call(["boot", folder, "--name", "hush", "--verbose"]);
  expect(booted.code).toBe(0);
  await own.call(["terminate", "hush", "--yes"]);
  const log = readFileSync(logOf(own, "a.boot.log"), "utf8");
  const report = (await own.call(["reports", "hush", "--open", "boot.log"])).stdout;
  for (const text of [booted.stdout, booted.stderr, log, report])
    for (let at = 0; at + 8 <= secret.length; at += 1) expect(text).not.toContain(secret.slice(at, at + 8));
  expect(log).toContain("39999 [secret]");
}, 60_000);

test("outputs have a number and sizes: a service that sets too much fails and says why", async () => {
  const own = installation();
  const many = `i=0; while [ $i -lt 1100 ]; do echo n$i=1; i=$((i+1)); done >> "$BOOTLEVEL_OUTPUT"`;
  const large = `{ printf 'token='; head -c 70000 /dev/zero | tr '\\0' x; echo; } >> "$BOOTLEVEL_OUTPUT"`;
  const secret = "outputs: [{ name: token, secret: true }]";
  const folder = own.plan(
    levels("outputs", [
      `many: { boot: { command: ${JSON.stringify(many)} } }\nlarge: { ${secret}, boot: { command: ${JSON.stringify(large)} } }\nset: { ${secret}, boot: { command: "head -c 70000 /dev/zero | bl set token || exit 9" } }`,
    ]),
  );
  expect((await own.call(["boot", folder, "--name", "outputs"])).code).toBe(1);
  const services = await shownServices(own, "outputs");
  expect(services["many"].failure.message).toContain("one name more than the limit of 1000");
  expect(services["large"].failure.message).toContain(
    'the secret output "token" is 70000 bytes long; the limit is 65536 bytes',
  );
  expect(services["set"].failure.lastLines.join("\n")).toContain('the secret output "token" is 70000 bytes long');
});
