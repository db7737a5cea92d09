/** `status` for monitors: one line and four exit codes, whatever happens. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { CLI, installation } from "../support/installation.js";
import { metric } from "../support/metrics.js";
import { pluginLine, readMetrics, shop, spoil } from "../support/shop.js";
import { filesBelow } from "../support/traces.js";

test("--nagios: OK and 0 when all is well, CRITICAL and 2 when not, in one line with numbers", async () => {
  const own = await shop();
  const fine = await own.call(["status", "shop", "--nagios"]);
  expect(fine.code).toBe(0);
  expect(pluginLine(fine)).toMatchObject({
    state: "OK",
    text: "3 of 3 services of shop ready",
    data: {
      services: { value: 3 },
      ready: { value: 3 },
      failed: { value: 0 },
      time: { unit: "s" },
      slowest_ready: { unit: "s" },
    },
  });
  spoil(own);
  const broken = await own.call(["status", "shop", "--nagios"]);
  expect(broken.code).toBe(2);
  const reason = "the ready program failed: exit code 4";
  expect(pluginLine(broken)).toMatchObject({
    state: "CRITICAL",
    text: `1 of 3 services of shop ready; web-1: ${reason}; web-2: ${reason}`,
    data: { ready: { value: 1 }, failed: { value: 2 } },
  });
});

test("--nagios: WARNING and 1 while a launcher boots the run, CRITICAL when it is dead or the run was taken down", async () => {
  const own = installation();
  const boot = own.start([
    "boot",
    own.plan(
      `plan: slow\nlevels: [{ name: one, services: { a: { boot: { command: "touch '${own.facts}/begun'; sleep 71" } } } }]\n`,
    ),
    "--name",
    "shop",
  ]);
  await eventually("the boot program runs", () => own.fact("begun") !== null);
  const booting = await own.call(["status", "shop", "--nagios"]);
  expect(booting.code).toBe(1);
  expect(pluginLine(booting)).toMatchObject({
    state: "WARNING",
    text: "shop is booting, 0 of 1 service ready",
    data: { pending: { value: 1 } },
  });
  expect((await own.json(["status", "shop"])).document).toMatchObject({
    workedOnBy: "boot",
    services: [{ trouble: "not-up" }],
  });
  boot.child.kill("SIGKILL");
  await boot.ended;
  const dead = await own.call(["status", "shop", "--nagios"]);
  expect(dead.code).toBe(2);
  expect(pluginLine(dead)).toMatchObject({
    state: "CRITICAL",
    text: expect.stringMatching(/^shop is interrupted, 0 of 1 service ready; a: was interrupted while booting/),
  });
  expect((await own.call(["terminate", "shop", "--yes"])).code).toBe(0);
  const down = await own.call(["status", "shop", "--nagios"]);
  expect(down.code).toBe(2);
  expect(pluginLine(down).text).toMatch(/^shop is terminated/);
});

/** A cloud whose machines carry no programs, and that gives no answer while there is a file `silent`. */
const driver = (facts: string) => `import { existsSync } from "node:fs";
import { CloudUnreachableError } from ${JSON.stringify(new URL("index.js", pathToFileURL(CLI)).href)};
const machine = (id) => ({ id, key: id, state: "running", host: "127.0.0.9", privateHost: null, hostname: null, access: { kind: "ssh", host: "127.0.0.9", port: null, user: null }, reason: "" });
export default { name: "far", cloudSchema: null, launchSchema: null, sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 1000 }, create: ({ cloud }) => ({
  launch: async (requests) => requests.map(({ key }) => ({ key, kind: "launched", machine: machine(key) })),
  describe: async (ids) => {
    if (existsSync(${JSON.stringify(join(facts, "silent"))})) throw new CloudUnreachableError(cloud, "no route | to it");
    return ids.map(machine);
  },
  terminate: async (ids) => ids.map((id) => ({ id, kind: "terminated" })),
  list: async () => [],
}) };
`;

test("--nagios: UNKNOWN and 3 when a cloud gives no answer, CRITICAL when something else is broken as well", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: far
clouds: { here: { driver: local }, rack: { driver: ./far.mjs } }
defaults: { cloud: here }
levels:
  - name: one
    services: { far: { cloud: rack, ready: { command: "true", where: launcher } }, near: { ready: { command: "test ! -f '${own.facts}/bad'", retries: 0 } } }
`,
    { "far.mjs": driver(own.facts) },
  );
  expect(await own.call(["boot", folder, "--name", "shop"])).toMatchObject({ code: 0 });
  expect((await own.call(["status", "shop", "--nagios"])).code).toBe(0);
  writeFileSync(join(own.facts, "silent"), "");
  const file = join(own.directory, "shop.prom");
  const silent = await own.call(["status", "shop", "--nagios", "--prometheus", file]);
  expect(silent.code).toBe(3);
  expect(pluginLine(silent)).toMatchObject({
    state: "UNKNOWN",
    text: expect.stringMatching(
      /^1 of 2 services of shop ready; far: cloud "rack" cannot be reached: no route \/ to it$/,
    ),
    data: { unknown: { value: 1 }, failed: { value: 0 } },
  });
  expect([
    metric(readMetrics(file), "bootlevel_check_cloud_unreachable"),
    metric(readMetrics(file), "bootlevel_check_success"),
    metric(readMetrics(file), "bootlevel_run_ready"),
  ]).toEqual([1, 1, 0]);
  expect((await own.call(["status", "shop"])).code).toBe(4);
  spoil(own);
  const both = await own.call(["status", "shop", "--nagios"]);
  expect(both.code).toBe(2);
  expect(pluginLine(both).text).toMatch(/; near: .*; far: /);
});

test.each([
  ["an unknown run", ["status", "ghost", "--nagios"], 'there is no run "ghost"'],
  ["no run", ["status", "--nagios"], "argument"],
  ["an unknown option", ["status", "shop", "--nagios", "--waht"], "waht"],
  ["an unknown command", ["stauts", "shop", "--nagios"], "status"],
  ["--nagios=true", ["status", "ghost", "--nagios=true"], "ghost"],
  ["--json beside it", ["status", "shop", "--nagios", "--json"], "choose one"],
  ["no duration", ["status", "shop", "--nagios", "--timeout", "soon"], "is not a valid duration"],
  ["a duration of nothing", ["status", "shop", "--nagios", "--timeout", "0s"], "is not a valid duration"],
  ["a duration beyond every timer", ["status", "shop", "--nagios", "--timeout", "30d"], "is not a valid duration"],
  ["an option without its value", ["status", "shop", "--nagios", "--prometheus"], "prometheus"],
])("--nagios: %s is UNKNOWN and 3 in one line", async (_what, words, said) => {
  const ended = await installation().call(words);
  expect(ended.code).toBe(3);
  expect(pluginLine(ended)).toMatchObject({ state: "UNKNOWN", text: expect.stringContaining(said), data: {} });
});

test("--nagios: a state that cannot be read is UNKNOWN and 3; the metrics of before do not stay", async () => {
  const own = await shop();
  const file = join(own.directory, "shop.prom");
  expect((await own.call(["status", "shop", "--prometheus", file])).code).toBe(0);
  for (const left of filesBelow(own.home).filter((path) => /bootlevel\.db/.test(path))) rmSync(left);
  writeFileSync(
    join(own.home, "bootlevel.db"),
    "this is no database, and it is long enough to be taken for one ".repeat(20),
  );
  const ended = await own.call(["status", "shop", "--nagios", "--prometheus", file]);
  expect(ended.code).toBe(3);
  expect(pluginLine(ended)).toMatchObject({ state: "UNKNOWN", text: expect.stringContaining("bootlevel.db") });
  expect([...readMetrics(file).keys()]).toEqual(["bootlevel_check_success", "bootlevel_check_timestamp_seconds"]);
});

test("--timeout gives up in time, tells so to each reader, and leaves no process that waits", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: slow\nlevels: [{ name: one, services: { a: { ready: { command: "if test -f '${own.facts}/hang'; then touch '${own.facts}/hangs'; until test -f '${own.facts}/go'; do sleep 0.05; done; touch '${own.facts}/gone'; fi" } } } }]\n`,
  );
  expect(await own.call(["boot", folder, "--name", "shop"])).toMatchObject({ code: 0 });
  expect((await own.call(["status", "shop", "--timeout", "1h"])).code).toBe(0);
  writeFileSync(join(own.facts, "hang"), "");
  const file = join(own.directory, "shop.prom");
  // It ends although the program runs on: that one waits for a word of this test's.
  const line = await own.call(["status", "shop", "--nagios", "--timeout", "1s", "--prometheus", file]);
  expect(line.code).toBe(3);
  expect(pluginLine(line)).toMatchObject({ state: "UNKNOWN", text: "the check did not finish within 1s" });
  expect(metric(readMetrics(file), "bootlevel_check_success", { run: "shop" })).toBe(0);
  expect(await own.call(["status", "shop", "--timeout", "1s"])).toMatchObject({
    code: 1,
    stdout: "",
    stderr: "bootlevel: the check did not finish within 1s\n",
  });
  expect(await own.json(["status", "shop", "--timeout", "1s"])).toMatchObject({
    code: 1,
    document: { command: "status", error: { exitCode: 1 } },
  });
  await eventually("a ready program hangs", () => own.fact("hangs") !== null);
  writeFileSync(join(own.facts, "go"), "");
  await eventually("the programs that nobody waits for end", () => own.fact("gone") !== null);
}, 60_000);

test("a secret that a ready program prints is in none of these outputs", async () => {
  const own = installation();
  const secret = "s3cret-Wort-42";
  const folder = own.plan(`plan: hush
levels:
  - name: one
    services:
      a: { outputs: [{ name: token, secret: true }], boot: { command: "echo token=${secret} >> $BOOTLEVEL_OUTPUT" } }
  - name: two
    services:
      b: { ready: { command: "echo it is $T; test ! -f '${own.facts}/bad'", env: { T: "\${a.token}" }, every: 100ms, timeout: 10s } }
`);
  expect(await own.call(["boot", folder, "--name", "shop"])).toMatchObject({ code: 0 });
  spoil(own);
  const file = join(own.directory, "shop.prom");
  const ended = [
    await own.call(["status", "shop", "--nagios", "--prometheus", file]),
    await own.call(["status", "shop"]),
    await own.json(["status", "shop"]),
  ];
  expect(ended.map(({ code }) => code)).toEqual([2, 1, 1]);
  expect(ended[1]?.stdout).toContain("it is ");
  for (const text of [...ended.flatMap(({ stdout, stderr }) => [stdout, stderr]), readFileSync(file, "utf8")])
    expect(text).not.toContain(secret);
});

test("the table tells how long each service is in its state, and how long its ready program took", async () => {
  const own = await shop();
  const Database = (await import("better-sqlite3")).default;
  const db = new Database(join(own.home, "bootlevel.db"));
  const ages: readonly [string, number][] = [
    ["db", 3 * 86_400_000],
    ["web-1", 2 * 3_600_000],
    ["web-2", 4 * 60_000],
  ];
  for (const [name, ms] of ages)
    db.prepare("UPDATE services SET updated_at = ? WHERE name = ?").run(Date.now() - ms - 1_000, name);
  db.close();
  const { stdout } = await own.call(["status", "shop"]);
  expect(stdout).toMatch(/^LEVEL +SERVICE +NOW +AGE +MACHINE +HOST +TOOK +WHY\n/);
  expect(stdout).toMatch(/db +✔ ready +3d +running +[\d.]+\n/);
  expect(stdout).toMatch(/web-1 +✔ ready +2h +running +[\d.]+ +\d+(ms|\.\ds)\n/);
  expect(stdout).toMatch(/web-2 +✔ ready +4m /);
});
