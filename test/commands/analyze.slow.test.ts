/** `bootlevel analyze`: what a real boot cost in time, as tables, as a document and as a picture. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Document } from "../support/installation.js";
import { until } from "../support/eventually.js";
import { parseXml } from "../support/xml.js";

/** `db` is ready at its third try; then two of three programs at a time, each 300 ms long. */
const plan = (facts: string) => `plan: shop
concurrency: 2
levels:
  - name: storage
    services:
      db: { boot: { command: "sleep 0.2" }, ready: { command: "echo x >> '${facts}/tries'; test $(wc -l < '${facts}/tries') -ge 3", every: 300ms } }
  - name: web
    services:
      web: { replicas: 3, boot: { command: "sleep 0.3" } }
`;

const kindsOf = (document: Document, service: string) =>
  document.section.chain
    .filter((part: Document) => part.service === service && part.kind !== "bootlevel")
    .map((part: Document) => part.kind);

test("the critical path of a real boot adds up to its wall time, and the waits in it have names", async () => {
  const own = installation();
  const booted = await own.json(["boot", own.plan(plan(own.facts)), "--name", "shop"]);
  expect(booted.code).toBe(0);
  const { code, stderr, document } = await own.json(["analyze", "shop"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(document).toMatchObject({
    version: 1,
    command: "analyze",
    run: "shop",
    svg: null,
    sections: [{ number: 1, verb: "boot", result: "ready", running: false }],
    section: { number: 1, clockSet: false },
  });
  const { chain, wallMs, chainMs, levels, blame } = document.section;
  const sum = chain.reduce((total: number, part: Document) => total + part.ms, 0);
  expect(sum).toBe(chainMs);
  expect(Math.abs(sum - wallMs)).toBeLessThanOrEqual(wallMs / 100);
  const { events } = (await own.json(["events", "shop"])).document;
  expect(wallMs).toBe(events.at(-1).at - events[0].at);
  expect(kindsOf(document, "db")).toEqual(["launch", "connect", "boot", "ready", "pause", "ready", "pause", "ready"]);
  const pauses = chain.filter((part: Document) => part.kind === "pause").map((part: Document) => part.ms);
  for (const ms of pauses) expect(ms).toBeGreaterThanOrEqual(295);
  expect(levels.map((level: Document) => [level.name, level.services.length])).toEqual([
    ["storage", 1],
    ["web", 3],
  ]);
  const last = levels[1].last;
  expect(kindsOf(document, last)).toEqual(["launch", "connect", "place", "boot"]);
  expect(blame.map(({ ms }: Document) => ms)).toEqual(
    blame.map(({ ms }: Document) => ms).sort((a: number, b: number) => b - a),
  );
  const boot = blame.find(({ service, step }: Document) => service === last && step === "boot");
  expect(boot).toMatchObject({ outcome: "exited", exitCode: 0 });
  expect(boot.waitedMs).toBeGreaterThanOrEqual(295);
  expect(boot.ms - boot.waitedMs).toBeGreaterThanOrEqual(295);
});

test("the tables say it for people; --top shortens the first", async () => {
  const own = installation();
  await own.call(["boot", own.plan(plan(own.facts)), "--name", "shop"]);
  const { code, stdout } = await own.call(["analyze", "shop", "--top", "2"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^Run shop: boot of \d{4}-\d\d-\d\d \d\d:\d\d, ready after \d+\.\ds\n\nThe longest steps\n\nSERVICE +LEVEL +STEP +TRY +TOOK +WAITED +OUTCOME\nweb-\d +web +boot +1 .*exit code 0\n.*\n\nThe critical path/,
  );
  expect(stdout).toMatch(/waited for a slot +\d+ms +\d+\.\d %/);
  expect(stdout).toMatch(/\nTotal: (\d+\.\ds), 100\.0 % of the elapsed \1\.\n$/);
});

test("--svg draws a row a service into a file that is whole or not there, over an old one and through a link", async () => {
  const own = installation();
  await own.call(["boot", own.plan(plan(own.facts)), "--name", "shop"]);
  const folder = join(own.directory, "pictures");
  mkdirSync(folder);
  const file = join(folder, "shop & co.svg");
  const { code, document } = await own.json(["analyze", "shop", "--svg", file]);
  expect({ code, svg: document.svg }).toEqual({ code: 0, svg: file });
  const rows = parseXml(readFileSync(file, "utf8")).filter(
    ({ name, attributes }) => name === "g" && attributes["class"] === "service",
  );
  expect(rows).toHaveLength(4);
  writeFileSync(file, "old");
  symlinkSync(file, join(folder, "link.svg"));
  const through = await own.call(["analyze", "shop", "--svg", join(folder, "link.svg")]);
  expect(through.stdout).toContain(`The chart is in ${file}\n`);
  expect(readFileSync(file, "utf8")).toMatch(/^<svg /);
  expect(readdirSync(folder).sort()).toEqual(["link.svg", "shop & co.svg"]);
});

test("a picture that cannot be written is a clear error, and leaves nothing", async () => {
  const own = installation();
  await own.call(["boot", own.plan("plan: a\nlevels:\n  - name: one\n    services: { a: {} }\n"), "--name", "a"]);
  const folder = join(own.directory, "pictures");
  mkdirSync(folder);
  const into = async (path: string) => (await own.call(["analyze", "a", "--svg", path])).stderr;
  const directory = await own.call(["analyze", "a", "--svg", folder]);
  expect(directory).toMatchObject({ code: 2, stdout: "" });
  expect(directory.stderr).toContain(`cannot write ${folder}: it is a directory; name a file in it`);
  expect(readdirSync(folder)).toEqual([]);
  expect(await into(join(folder, "none", "a.svg"))).toContain("no such directory");
  expect(await into("/dev/null")).toContain("cannot write /dev/null: it is not a regular file");
  expect(existsSync("/dev/null")).toBe(true);
  if (process.getuid?.() !== 0) {
    chmodSync(folder, 0o500);
    expect(await into(join(folder, "a.svg"))).toContain("permission denied");
    chmodSync(folder, 0o700);
  }
});

test("a boot that is killed is analyzed up to its last event; after a terminate it is still what is looked at", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: killed\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: "touch '${own.facts}/begun'; sleep 61" } }\n`,
  );
  const boot = own.start(["boot", folder, "--name", "killed"]);
  await until(() => own.fact("begun") !== null);
  const running = await own.json(["analyze", "killed"]);
  expect(running.document).toMatchObject({ section: { running: true, result: null } });
  boot.child.kill("SIGKILL");
  await boot.ended;
  expect((await own.call(["terminate", "killed", "--yes"])).code).toBe(0);
  const { document } = await own.json(["analyze", "killed"]);
  expect(document.sections.map((section: Document) => [section.verb, section.result, section.running])).toEqual([
    ["boot", null, false],
    ["terminate", "terminated", false],
  ]);
  expect(document.section).toMatchObject({
    number: 1,
    levels: [
      {
        name: "one",
        last: "a",
        services: [{ name: "a", steps: [{ step: "launch" }, { step: "connect" }, { step: "boot", outcome: null }] }],
      },
    ],
  });
  const { stdout } = await own.call(["analyze", "killed"]);
  expect(stdout).toMatch(
    /boot of .*, launcher died after .* \(section 1 of 2, --sections lists them\)\nIts launcher died: the times end with its last event/,
  );
  expect(stdout).toMatch(/a +one +boot +1 .*did not end/);
});

test("sections are listed and chosen; a termination is only looked at when it is asked for", async () => {
  const own = installation();
  await own.call([
    "boot",
    own.plan(
      "plan: a\nlevels:\n  - name: one\n    services: { a: { boot: { command: 'true' }, terminate: { command: 'true' } } }\n",
    ),
    "--name",
    "a",
  ]);
  await own.call(["terminate", "a", "--yes"]);
  const listed = await own.call(["analyze", "a", "--sections"]);
  expect(listed.stdout).toMatch(
    /^NO +COMMAND +STARTED +TOOK +RESULT\n +1 +boot .* ready\n +2 +terminate .* terminated\n$/,
  );
  const { document } = await own.json(["analyze", "a", "--section", "2"]);
  expect(document.section).toMatchObject({ number: 2, verb: "terminate", blame: [{ step: "terminate" }] });
  expect(kindsOf(document, "a")).toEqual(["terminate", "destroy"]);
});

test.each([
  [["--section", "7"], 'run "a" has no section 7; it has 1'],
  [["--section", "0"], "--section must be one whole number, 1 or more"],
  [["--top", "x"], '--top must be a whole number, not "x"'],
  [["--top", "2.5"], '--top must be a whole number, not "2.5"'],
  [["--svg"], "svg"],
  [["--svg", "a.svg", "--svg", "b.svg"], "--svg can be given only once"],
])("a wrong call is told: %j", async (words, message) => {
  const own = installation();
  await own.call(["boot", own.plan("plan: a\nlevels:\n  - name: one\n    services: { a: {} }\n"), "--name", "a"]);
  const ended = await own.call(["analyze", "a", ...words]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain(message);
});

test("an unknown run is told, and names of runs are completed", async () => {
  const own = installation();
  expect(await own.call(["analyze", "nope"])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining('there is no run "nope"'),
  });
  await own.call(["boot", own.plan("plan: a\nlevels:\n  - name: one\n    services: { a: {} }\n"), "--name", "abcd"]);
  expect((await own.call(["--get-yargs-completions", "bootlevel", "analyze", ""])).stdout.split("\n")).toContain(
    "abcd",
  );
});
