/** What services leave behind, brought home by the built command and read there. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Document, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, loseMachine, waitFor } from "../support/liveRun.js";
import { startSshHost } from "../support/sshHost.js";

const reportsFolder = (own: Installation): string =>
  join(own.home, "runs", readdirSync(join(own.home, "runs"))[0] as string, "reports");
const archives = (own: Installation): string[] =>
  existsSync(reportsFolder(own)) ? readdirSync(reportsFolder(own)).sort() : [];

/** Names of files, by report. */
async function listed(own: Installation, run: string, ...words: readonly string[]): Promise<Record<string, string[]>> {
  const { document } = await own.json(["reports", run, ...words]);
  return Object.fromEntries(
    document.reports.map(({ report, files }: Document) => [report, files.map(({ file }: Document) => file)]),
  );
}

const open = async (own: Installation, run: string, ...words: readonly string[]): Promise<string> =>
  (await own.call(["reports", run, ...words])).stdout;

async function warnings(own: Installation, run: string): Promise<string[]> {
  return (await own.json(["events", run])).document.events
    .filter(({ type }: Document) => type === "warning")
    .map(({ data, message }: Document) => (message ?? data?.message) as string);
}

const TWO = [
  "web: { replicas: 2, boot: { command: 'mkdir results; echo $BOOTLEVEL_SERVICE > results/a.json; echo x > results/b.txt; echo booted' }, report: { command: 'echo sum > \"$BOOTLEVEL_REPORT_DIR/sum.txt\"; echo reporting', patterns: [\"results/*.json\"] }, terminate: { command: 'rm -r ../boot-*/results' } }\nplain: { boot: { command: 'true' } }",
];

test("terminate brings the reports home before the terminate programs run; they are listed, filtered, opened and copied", async () => {
  const own = installation();
  await boot(own, own.plan(levels("two", TWO)), "two");
  expect(await own.call(["reports", "two"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("two has no reports"),
  });
  expect(await own.call(["terminate", "two", "--yes"])).toMatchObject({ code: 0 });
  expect(archives(own)).toEqual(["web-1.tar.gz", "web-2.tar.gz"]);
  expect([
    statSync(reportsFolder(own)).mode & 0o777,
    statSync(join(reportsFolder(own), "web-1.tar.gz")).mode & 0o777,
  ]).toEqual([0o700, 0o600]);
  const files = ["report/sum.txt", "files/results/a.json", "logs/boot.log", "logs/report.log"];
  expect(await listed(own, "two")).toEqual({ "web-1": files, "web-2": files });
  expect(await listed(own, "1", "web-2", "--match", "*.json")).toEqual({ "web-2": ["files/results/a.json"] });
  expect(await listed(own, "two", "web", "--match", "logs/**")).toEqual({
    "web-1": files.slice(2),
    "web-2": files.slice(2),
  });
  const table = await own.call(["reports", "two", "web-1"]);
  expect(table.stdout).toMatch(
    /^REPORT +FILE +SIZE +CHANGED\nweb-1 +report\/sum.txt +4 B +\d{4}-\d\d-\d\d \d\d:\d\d\n[\s\S]*web-1 +logs\/boot.log /,
  );
  expect(await open(own, "two", "web-2", "--open", "files/results/a.json")).toBe("web-2\n");
  expect(await open(own, "two", "web-1", "--open", "a.json")).toBe("web-1\n");
  expect(await open(own, "two", "web-1", "--open", "boot.log")).toContain("booted");
  const unclear = await own.call(["reports", "two", "--open", "a.json"]);
  expect(unclear).toMatchObject({ code: 2, stdout: "" });
  expect(unclear.stderr).toContain("web-1 files/results/a.json, web-2 files/results/a.json");
  expect(await own.call(["reports", "two", "web-1", "--open", "c.json"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('has a file "c.json"'),
  });
  expect(await own.call(["reports", "two", "wbe"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("it has reports of web-1, web-2"),
  });
});

test("copies are private and leave other files alone unless told otherwise", async () => {
  const own = installation();
  await boot(own, own.plan(levels("two", TWO)), "two");
  await own.call(["terminate", "two", "--yes"]);
  const to = join(own.directory, "oút put/deep");
  expect(await own.call(["reports", "two", "--to", to])).toMatchObject({
    code: 0,
    stdout: `web-1 copied to ${to}/web-1.tar.gz\nweb-2 copied to ${to}/web-2.tar.gz\n`,
  });
  expect(statSync(join(to, "web-1.tar.gz")).mode & 0o777).toBe(0o600);
  expect(execFileSync("tar", ["-xzOf", join(to, "web-1.tar.gz"), "files/results/a.json"], { encoding: "utf8" })).toBe(
    "web-1\n",
  );
  writeFileSync(join(to, "web-2.tar.gz"), "mine");
  const again = await own.json(["reports", "two", "--to", to]);
  expect(again.code).toBe(1);
  expect(again.document.copied).toMatchObject([
    { report: "web-1", outcome: "there" },
    { report: "web-2", outcome: "failed", message: expect.stringContaining("--overwrite") },
  ]);
  expect(readFileSync(join(to, "web-2.tar.gz"), "utf8")).toBe("mine");
  expect(await own.call(["reports", "two", "web-2", "--to", to, "--overwrite"])).toMatchObject({ code: 0 });
  expect(readFileSync(join(to, "web-2.tar.gz")).equals(readFileSync(join(reportsFolder(own), "web-2.tar.gz")))).toBe(
    true,
  );
  expect(readdirSync(to).sort()).toEqual(["web-1.tar.gz", "web-2.tar.gz"]);
  expect(await own.call(["reports", "two", "--to", join(to, "web-1.tar.gz")])).toMatchObject({ code: 2 });
});

test.each([
  [["--open", "a", "--to", "b"], "--open cannot be combined with --to, --match, --collect or --json"],
  [["--open", "a", "--json"], "--open cannot be combined with --to, --match, --collect or --json"],
  [["--to", "x", "--match", "*"], "--to copies whole archives and cannot be combined with --match"],
  [["--match", ""], "--match has an empty value"],
  [["--match", "a".repeat(65_537)], "--match takes a pattern of 1 to"],
  [["--overwrite"], "--overwrite requires --to"],
  [["--to", "ftp://x/y"], "name a folder, or s3://bucket/prefix"],
  [["--to", ""], "--to has an empty value"],
  [["--to", "s3://B_/x"], "names no bucket"],
  [["--endpoint", "https://x", "--to"], "Not enough arguments"],
])("reports %j is a wrong call", async (words, message) => {
  const own = installation();
  await boot(own, own.plan(levels("one", ["a: { boot: { command: 'true' } }"])), "one");
  const ended = await own.call(["reports", "one", ...words]);
  expect(ended).toMatchObject({ code: 2 });
  expect(ended.stderr + ended.stdout).toContain(message);
});

test("--collect brings home what there is while the run lives, again and again, and leaves nothing on the machine", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("live", [
        "a: { boot: { command: 'echo 1 > state' }, report: { command: 'cp ../boot-*/state \"$BOOTLEVEL_REPORT_DIR\"', patterns: [state] } }",
        "b: { boot: { command: 'true' } }",
      ]),
    ),
    "live",
  );
  const first = await own.json(["reports", "live", "--collect"]);
  expect(first).toMatchObject({ code: 0, document: { collected: [{ service: "a", complete: true, warnings: [] }] } });
  expect(await open(own, "live", "--open", "files/state")).toBe("1\n");
  const machine = join(
    own.home,
    "drivers/local/machines",
    readdirSync(join(own.home, "drivers/local/machines")).find((name) => name.includes(".a.")) as string,
  );
  writeFileSync(
    join(
      machine,
      "work/a",
      readdirSync(join(machine, "work/a")).find((name) => name.startsWith("boot")) as string,
      "state",
    ),
    "2\n",
  );
  expect(await own.call(["reports", "live", "a", "--collect"])).toMatchObject({ code: 0 });
  expect([await open(own, "live", "--open", "files/state"), await open(own, "live", "--open", "report/state")]).toEqual(
    ["2\n", "2\n"],
  );
  expect(readdirSync(join(machine, "work/a")).filter((name) => name.startsWith("report"))).toEqual([]);
  expect((await own.json(["status", "live"])).document.state).toBe("ready");
  expect(await own.call(["reports", "live", "nobody", "--collect"])).toMatchObject({ code: 2 });
  await own.call(["terminate", "live", "--yes"]);
  expect(await own.call(["reports", "live", "--collect"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is terminated"),
  });
});

test("--collect of a run that another launcher works on is refused", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("busy", [
        `a: { boot: { command: 'true' }, report: { command: 'true' }, terminate: { command: "${waitFor(own, "end")}" } }`,
      ]),
    ),
    "busy",
  );
  const terminating = own.start(["terminate", "busy", "--yes"]);
  await begun(own, "end");
  expect((await own.call(["reports", "busy", "--collect"])).code).toBe(3);
  letGo(own, "end");
  expect((await terminating.ended).code).toBe(0);
  expect(archives(own)).toEqual(["a.tar.gz"]);
});

test("a report that fails, hangs or cannot run changes no result; what it wrote until then is brought home", async () => {
  const own = installation();
  const services = [
    "fails: { boot: { command: 'true' }, report: { command: 'echo half > \"$BOOTLEVEL_REPORT_DIR/half\"; echo said; exit 3' } }",
    "hangs: { boot: { command: 'true' }, report: { command: 'echo half > \"$BOOTLEVEL_REPORT_DIR/half\"; sleep 3600', timeout: 1s } }",
    "never: { outputs: [id], boot: { command: 'exit 1' }, report: { command: 'echo ${self.id}' } }",
  ].join("\n");
  const folder = own.plan(levels("bad", [services]));
  expect((await own.call(["boot", folder, "--name", "bad"])).code).toBe(1);
  expect(await own.call(["terminate", "bad", "--yes"])).toMatchObject({ code: 0 });
  const told = (await warnings(own, "bad")).join("\n");
  for (const words of [
    "the report program failed: exit code 3",
    "ran longer than its time limit of 1 s",
    "id} has no value",
  ])
    expect(told).toContain(words);
  expect(await listed(own, "bad")).toEqual({
    fails: ["report/half", "logs/boot.log", "logs/report.log"],
    hangs: ["report/half", "logs/boot.log", "logs/report.log"],
    never: ["logs/boot.log", "logs/report.log"],
  });
  expect((await own.json(["show", "bad"])).document.state).toBe("terminated");
});

test("a machine that is gone leaves its logs, and an earlier report of it stays", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("lost", [
        "a: { boot: { command: 'echo up; echo 1 > state' }, report: { patterns: [state] } }",
        "b: { boot: { command: 'echo up' }, report: { patterns: ['*'] } }",
      ]),
    ),
    "lost",
  );
  expect(await own.call(["reports", "lost", "a", "--collect"])).toMatchObject({ code: 0 });
  for (const name of ["a", "b"]) loseMachine(own, name);
  expect(await own.call(["terminate", "lost", "--yes"])).toMatchObject({ code: 0 });
  const told = (await warnings(own, "lost")).join("\n");
  expect(told).toContain("only its logs are collected");
  expect(told).toContain("the earlier report is kept");
  expect(await listed(own, "lost")).toEqual({ a: ["files/state", "logs/boot.log"], b: ["logs/boot.log"] });
});

test("a terminate that is repeated collects again and loses nothing; --no-reports leaves all as it is, --force does not", async () => {
  const own = installation();
  const folder = own.plan(
    levels("again", [
      `a: { boot: { command: 'echo 1 > state' }, report: { patterns: [state] }, terminate: { command: "test -f '${own.facts}/mended'" } }`,
    ]),
  );
  await boot(own, folder, "again");
  expect((await own.call(["terminate", "again", "--yes", "--no-reports"])).code).toBe(1);
  expect(archives(own)).toEqual([]);
  expect((await own.call(["terminate", "again", "--yes"])).code).toBe(1);
  expect(await open(own, "again", "--open", "state")).toBe("1\n");
  const before = readFileSync(join(reportsFolder(own), "a.tar.gz"));
  expect((await own.call(["terminate", "again", "--yes", "--no-reports"])).code).toBe(1);
  expect(readFileSync(join(reportsFolder(own), "a.tar.gz")).equals(before)).toBe(true);
  expect(await own.call(["terminate", "again", "--yes", "--force"])).toMatchObject({ code: 0 });
  expect(await open(own, "again", "--open", "state")).toBe("1\n");
  expect(archives(own)).toEqual(["a.tar.gz"]);
});

test("a launcher that is killed while a report is written leaves nothing half; the next one goes on", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("kill", [
        `a: { boot: { command: 'true' }, report: { command: "echo one > \\"$BOOTLEVEL_REPORT_DIR/one\\"; ${waitFor(own, "report")}" }, terminate: { command: "echo x >> '${own.facts}/terminated'" } }`,
      ]),
    ),
    "kill",
  );
  const terminating = own.start(["terminate", "kill", "--yes"]);
  await begun(own, "report");
  mkdirSync(reportsFolder(own), { recursive: true });
  writeFileSync(join(reportsFolder(own), ".a.tar.gz.0123"), "half");
  terminating.child.kill("SIGKILL");
  await terminating.ended;
  expect(own.fact("terminated")).toBeNull();
  letGo(own, "report");
  expect(await own.call(["terminate", "kill", "--yes"])).toMatchObject({ code: 0 });
  expect([await open(own, "kill", "--open", "one"), own.fact("terminated"), archives(own)]).toEqual([
    "one\n",
    "x\n",
    ["a.tar.gz"],
  ]);
});

test("an interrupt in a report stops the terminate before its program; the next one brings it home", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("stop", [
        `a: { boot: { command: 'true' }, report: { command: "echo one > \\"$BOOTLEVEL_REPORT_DIR/one\\"; ${waitFor(own, "report")}" }, terminate: { command: "echo x >> '${own.facts}/terminated'" } }`,
      ]),
    ),
    "stop",
  );
  const terminating = own.start(["terminate", "stop", "--yes"]);
  await begun(own, "report");
  terminating.child.kill("SIGINT");
  letGo(own, "report");
  expect((await terminating.ended).code).toBe(130);
  expect([own.fact("terminated"), archives(own)]).toEqual([null, []]);
  expect(await own.call(["terminate", "stop", "--yes"])).toMatchObject({ code: 0 });
  expect([await open(own, "stop", "--open", "one"), own.fact("terminated")]).toEqual(["one\n", "x\n"]);
});

test("the report of a machine that was replaced is kept beside that of the new one", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("new", [
        `a: { boot: { command: "echo x >> '${own.facts}/count'; wc -l < '${own.facts}/count' > state" }, report: { patterns: [state] } }`,
      ]),
    ),
    "new",
  );
  expect(await own.call(["repair", "new", "--replace", "a"])).toMatchObject({ code: 0 });
  expect(await open(own, "new", "--open", "state")).toMatch(/^ *1\n$/);
  expect(await own.call(["terminate", "new", "--yes"])).toMatchObject({ code: 0 });
  expect(archives(own)).toEqual(["a.1.tar.gz", "a.tar.gz"]);
  expect(await open(own, "new", "--open", "state")).toMatch(/^ *2\n$/);
  expect(await open(own, "new", "a.1", "--open", "state")).toMatch(/^ *1\n$/);
  expect(Object.keys(await listed(own, "new", "a"))).toEqual(["a", "a.1"]);
});

test("links, odd names and what two patterns match are brought home so that unpacking is harmless", async () => {
  const own = installation();
  const script =
    "#!/bin/sh\nmkdir d 'a*b'; echo 1 > 'd/-r f'; echo 2 > \"d/new\nline\"; ln -s './-r f' d/in; ln -s ../../../../etc/passwd d/out; ln -s /etc/passwd d/absolute; ln -s gone d/gone; ln 'd/-r f' d/hard; mkfifo d/pipe; echo 3 > 'a*b/x'; mkdir aXb; echo 4 > aXb/y\n";
  const folder = own.plan(
    levels("odd", [
      'a: { attributes: { word: "a*b" }, boot: boot.sh, report: { patterns: [d, "d/*", "${self.word}/*", "none/*"] } }',
    ]),
    { "boot.sh": script },
  );
  await boot(own, folder, "odd");
  const { document } = await own.json(["reports", "odd", "--collect"]);
  expect(document.collected[0].warnings.sort()).toEqual(
    [
      "d/absolute is a link that points outside the report",
      "d/out is a link that points outside the report",
      "d/pipe is not a regular file",
      "d/out is a broken link",
      "d/gone is a link to a file that is not in the report",
      "d/gone is a broken link",
      "d/pipe is not a regular file",
      "nothing matches none/*",
    ].sort(),
  );
  expect((await listed(own, "odd"))["a"]?.filter((name) => name.startsWith("files")).sort()).toEqual(
    ["files/a*b/x", "files/d/-r f", "files/d/hard", "files/d/in", "files/d/new\nline", "files/d/absolute"].sort(),
  );
  expect(await open(own, "odd", "--open", "in")).toBe("1\n");
  const unpacked = join(own.directory, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xzf", join(reportsFolder(own), "a.tar.gz"), "-C", unpacked]);
  expect(readFileSync(join(unpacked, "files/d/in"), "utf8")).toBe("1\n");
});

test("secrets do not show in warnings, events or process lists", async () => {
  const own = installation();
  const secret = "s3cr3t-Wört-77";
  const command = `ls /proc > /dev/null; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\\\0' ' ' > '${own.facts}/processes'; mkfifo "$BOOTLEVEL_REPORT_DIR/$TOKEN"; mkfifo "$TOKEN"; echo "$TOKEN"; exit 1`;
  const folder = own.plan(
    `variables: { token: { secret: true, env: TOKEN } }\n${levels("hush", [`a: { boot: { command: 'mkfifo "$T"', env: { T: "\${var.token}" } }, report: { program: report.sh, env: { TOKEN: "\${var.token}" }, patterns: ["*"] } }`])}`,
    { "report.sh": `#!/bin/sh\n${command}\n` },
  );
  const env = { TOKEN: secret };
  expect((await own.call(["boot", folder, "--name", "hush"], { env })).code).toBe(0);
  const ended = await own.call(["terminate", "hush", "--yes"], { env });
  expect(ended.code).toBe(0);
  const events = await own.call(["events", "hush", "--json"]);
  expect(events.stdout).toContain("is not a regular file");
  for (const text of [
    ended.stdout,
    ended.stderr,
    events.stdout,
    own.fact("processes"),
    await open(own, "hush", "--open", "report.log"),
  ]) {
    expect(text).not.toBeNull();
    expect(text).not.toContain(secret);
  }
});

test("a program on the launcher reports what it writes there, beside files of the machine", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("here", [
        "a: { boot: { command: 'echo m > m' }, report: { command: 'echo l > \"$BOOTLEVEL_REPORT_DIR/l\"', where: launcher, patterns: [m] } }",
      ]),
    ),
    "here",
  );
  expect(await own.call(["reports", "here", "--collect"])).toMatchObject({ code: 0 });
  expect([await open(own, "here", "--open", "l"), await open(own, "here", "--open", "m")]).toEqual(["l\n", "m\n"]);
  const launcher = join(own.home, "runs", readdirSync(join(own.home, "runs"))[0] as string, "launcher/a");
  expect(existsSync(launcher) ? readdirSync(launcher) : []).toEqual([]);
});

test("hosts over SSH report too, with nothing left there; one that does not answer costs no more than the report's timeout", async () => {
  const host = await startSshHost();
  const own = installation();
  const ssh = `ssh: { host_keys: known-hosts, known_hosts: ${host.knownHosts}, identity: ${host.identity}, user: ${host.user}, connect_timeout: 1m }`;
  const big = join(host.directory, "big.bin");
  try {
    const folder = own.plan(
      levels(
        "far",
        [
          `a: { boot: { command: "echo 1 > state; head -c 5000000 /dev/urandom > '${big}'" }, report: { command: 'echo sum > "$BOOTLEVEL_REPORT_DIR/sum"', patterns: [state, "${big}"], timeout: 10s } }`,
        ],
        `defaults: { ${ssh} }\nclouds: { rack: { driver: existing, hosts: [{ host: ${host.address}, port: ${host.port} }] } }\n`,
      ),
    );
    await boot(own, folder, "far");
    expect(await own.call(["reports", "far", "--collect"])).toMatchObject({ code: 0 });
    const work = join(
      process.env["HOME"] ?? "/root",
      ".bootlevel/runs",
      readdirSync(join(own.home, "runs"))[0] as string,
      "a",
    );
    expect(readdirSync(work).filter((name) => name.startsWith("report"))).toEqual([]);
    const copy = execFileSync("tar", ["-xzOf", join(reportsFolder(own), "a.tar.gz"), `files${big}`], {
      maxBuffer: 30_000_000,
    });
    expect(copy.equals(readFileSync(big))).toBe(true);
  } finally {
    await host.stop();
  }
  const ended = await own.call(["reports", "far", "--collect"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout + ended.stderr).toContain("the earlier report is kept");
  expect(await listed(own, "far")).toMatchObject({ a: expect.arrayContaining(["files/state"]) });
  expect(await own.call(["terminate", "far", "--yes"])).toMatchObject({ code: 0 });
  expect(await listed(own, "far")).toMatchObject({ a: expect.arrayContaining(["files/state"]) });
});

test("an archive that was damaged is told, and the others are listed", async () => {
  const own = installation();
  await boot(own, own.plan(levels("two", TWO)), "two");
  await own.call(["terminate", "two", "--yes"]);
  writeFileSync(join(reportsFolder(own), "web-1.tar.gz"), "no archive");
  const ended = await own.json(["reports", "two"]);
  expect(ended.code).toBe(1);
  expect(ended.document.reports).toMatchObject([
    { report: "web-1", files: [], problem: expect.stringContaining("cannot be read") },
    { report: "web-2", problem: null },
  ]);
  const alone = await own.call(["reports", "two", "web-1"]);
  expect(alone).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("cannot be read") });
  expect(await open(own, "two", "web-2", "--open", "a.json")).toBe("web-2\n");
});

test("of an archive that was cut off, what stands before the end is listed, with what to do", async () => {
  const own = installation();
  const noise = { command: "echo 1 > a; head -c 300000 /dev/urandom > b" };
  await boot(
    own,
    own.plan(levels("cut", [`web: { boot: ${JSON.stringify(noise)}, report: { patterns: [a, b] } }`])),
    "cut",
  );
  await own.call(["terminate", "cut", "--yes"]);
  truncateSync(join(reportsFolder(own), "web.tar.gz"), 150_000);
  const { code, document } = await own.json(["reports", "cut"]);
  expect(code).toBe(1);
  expect(document.reports).toMatchObject([
    {
      files: expect.arrayContaining([expect.objectContaining({ file: "files/a", bytes: 2 })]),
      problem: expect.stringMatching(/cannot be read: .*collect the report again/),
    },
  ]);
});
