/**
 * The examples of docs/monitoring.md are run as they stand there, with the names replaced that the page says to
 * replace.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "@jest/globals";
import { parse } from "yaml";

import { parseCrontab, runAsCron, runBare, type Crontab } from "../support/crontab.js";
import { eventually, isAlive } from "../support/eventually.js";
import type { Installation } from "../support/installation.js";
import { metric, parseMetrics } from "../support/metrics.js";
import { block, fileBlock, page, sandbox, USER, type Sandbox } from "../support/monitoringPage.js";
import { parsePluginLine } from "../support/nagiosLine.js";

/** A server that can be killed, and that only a repair brings back. */
const plan = (facts: string) => `plan: shop
levels:
  - name: one
    services:
      server: { boot: { command: "nohup sleep 3400 >/dev/null 2>&1 & echo $! > '${facts}/pid'" }, ready: { command: "grep -q 3400 \\"/proc/$(cat '${facts}/pid')/cmdline\\"", every: 100ms, timeout: 10s } }
`;

async function bootShop({ own, home }: Sandbox): Promise<void> {
  expect(
    await own.call(["boot", own.plan(plan(own.facts)), "--name", "shop"], { env: { BOOTLEVEL_HOME: home } }),
  ).toMatchObject({ code: 0, stderr: "" });
}

const serverPid = (own: Installation) => Number(own.fact("pid"));

async function killServer(own: Installation): Promise<number> {
  const pid = serverPid(own);
  process.kill(pid, "SIGKILL");
  await eventually("the server is gone", () => !isAlive(pid));
  return pid;
}

const crontabOf = ({ fill }: Sandbox): Crontab =>
  parseCrontab(fill(block("a crontab", (_text, language) => language === "crontab")));

function jobOf(crontab: Crontab, words: string): string {
  const found = crontab.jobs.filter(({ command }) => command.includes(words));
  expect(found).toHaveLength(1);
  return found[0]?.command ?? "";
}

test("every name that the examples are filled with is explained in the page's table", () => {
  const table = page.slice(page.indexOf("## Names in the examples"), page.indexOf("\n## cron"));
  for (const name of [
    "shop",
    "bootlevel",
    "/srv/bootlevel",
    "/usr/local/bin",
    "/usr/local/lib/nagios/plugins",
    "/var/lib/node_exporter/textfile",
    "ada@example.org",
  ])
    expect(table).toContain(`| \`${name}\``);
});

test("the crontab: its times, and its environment, are what the page says", () => {
  const { env, jobs } = crontabOf(sandbox());
  expect(jobs.map(({ fields }) => fields.join(" "))).toEqual(["*/5 * * * *", "*/15 * * * *", "* * * * *"]);
  expect(Object.keys(env)).toEqual(["SHELL", "PATH", "MAILTO", "BOOTLEVEL_HOME"]);
});

test.each([
  "*/0 * * * * x",
  "60 * * * * x",
  "* 24 * * * x",
  "* * * * x",
  "5-3 * * * * x",
  "a * * * * x",
  "* * * * * date +%s",
  "PATH=$HOME/bin",
  "*/5* * * * x",
])("a crontab with %j is refused by the reader that these tests trust", (line) => {
  expect(() => parseCrontab(line)).toThrow();
});

test("the crontab's repair says nothing of a run that is well, mends one that is not, and mails what it cannot do", async () => {
  const box = sandbox();
  await bootShop(box);
  const crontab = crontabOf(box);
  const repair = jobOf(crontab, "repair shop");
  const cron = (command: string) => runAsCron(command, crontab.env, join(box.own.directory, "operator"));
  expect(await cron(repair)).toMatchObject({ code: 0, stdout: "", stderr: "" });
  const before = await killServer(box.own);
  expect(await cron(repair)).toMatchObject({ code: 0, stdout: "", stderr: "" });
  const after = serverPid(box.own);
  expect(after).not.toBe(before);
  expect(isAlive(after)).toBe(true);
  expect((await box.own.call(["status", "shop"], { env: { BOOTLEVEL_HOME: box.home } })).code).toBe(0);
  expect((await cron(repair.replace("repair shop", "repair ghost"))).stdout).toContain('there is no run "ghost"');
}, 90_000);

test("the crontab's repair is silent about a run that another launcher has in hand", async () => {
  const box = sandbox();
  const { own, home } = box;
  const boot = own.start(
    [
      "boot",
      own.plan(
        `plan: shop\nlevels: [{ name: one, services: { a: { boot: { command: "touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done" } } } }]\n`,
      ),
      "--name",
      "shop",
    ],
    { env: { BOOTLEVEL_HOME: home } },
  );
  await eventually("the boot program runs", () => own.fact("begun") !== null);
  const crontab = crontabOf(box);
  const repair = jobOf(crontab, "repair shop");
  expect(repair).toContain("--wait 4m");
  const busy = await runAsCron(
    repair.replace("--wait 4m", "--wait 300ms"),
    crontab.env,
    join(own.directory, "operator"),
  );
  expect(busy).toMatchObject({ code: 0, stdout: "", stderr: "" });
  // It is the exit code 3 that is passed over in silence, not everything.
  expect((await own.call(["repair", "shop"], { env: { BOOTLEVEL_HOME: home } })).code).toBe(3);
  writeFileSync(join(own.facts, "go"), "");
  expect((await boot.ended).code).toBe(0);
});

test("the crontab's status mails the table when something is not well, and nothing otherwise", async () => {
  const box = sandbox();
  await bootShop(box);
  const crontab = crontabOf(box);
  const status = jobOf(crontab, "status shop --timeout");
  const cron = () => runAsCron(status, crontab.env, join(box.own.directory, "operator"));
  expect(await cron()).toMatchObject({ code: 0, stdout: "", stderr: "" });
  await killServer(box.own);
  const mail = await cron();
  expect(mail.stderr).toBe("");
  expect(mail.stdout).toMatch(/server +✖ unhealthy[\s\S]*Unhealthy: 0 of 1 services ready/);
});

test("the crontab's metrics appear where node_exporter looks, and tell of the run; a mail only comes when there is no check", async () => {
  const box = sandbox();
  await bootShop(box);
  const crontab = crontabOf(box);
  const metrics = jobOf(crontab, "--prometheus");
  const cron = (command: string) => runAsCron(command, crontab.env, join(box.own.directory, "operator"));
  const read = () => parseMetrics(readFileSync(join(box.textfile, "bootlevel-shop.prom"), "utf8"));
  expect(await cron(metrics)).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect((statSync(join(box.textfile, "bootlevel-shop.prom")).mode & 0o777).toString(8)).toBe("644");
  expect(metric(read(), "bootlevel_run_ready", { run: "shop" })).toBe(1);
  await killServer(box.own);
  expect(await cron(metrics)).toMatchObject({ code: 1, stdout: "", stderr: "" });
  expect(metric(read(), "bootlevel_service_healthy", { service: "server" })).toBe(0);
  const ghost = await cron(metrics.replace("status shop", "status ghost"));
  expect(`${ghost.stdout}${ghost.stderr}`).toContain('there is no run "ghost"');
  expect(metric(read(), "bootlevel_check_success", { run: "ghost" })).toBe(0);
});

const UNITS = ["bootlevel-repair.service", "bootlevel-repair.timer"] as const;
const unitText = (unit: string) => fileBlock(`/etc/systemd/system/${unit}`);
const valuesOf = (unit: string, key: string) =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value as string);

const analyze = "/usr/bin/systemd-analyze";
if (!existsSync(analyze))
  console.log(
    `SKIPPED, since ${analyze} is missing (apt-get install systemd):\n  that systemd takes the units of docs/monitoring.md`,
  );
(existsSync(analyze) ? test : test.skip)(
  "systemd takes the service and the timer without a word, and would start it every 5 minutes",
  () => {
    const { bare, fill } = sandbox();
    const files = UNITS.map((name) => {
      writeFileSync(join(bare, name), fill(unitText(name)));
      return join(bare, name);
    });
    const verify = (paths: readonly string[]) =>
      execFileSync("/bin/sh", ["-c", '"$0" verify --man=no "$@" 2>&1 || echo verify-failed', analyze, ...paths], {
        encoding: "utf8",
      })
        .split("\n")
        .filter((line) => /bootlevel|verify-failed/.test(line));
    expect(verify(files)).toEqual([]);
    // A reader that finds nothing must be one that could.
    writeFileSync(files[0] as string, fill(unitText(UNITS[0])).replace("KillMode=", "KillMod="));
    expect(verify(files)).not.toEqual([]);
    const calendar = execFileSync(
      analyze,
      ["calendar", "--iterations=2", ...valuesOf(unitText(UNITS[1]), "OnCalendar")],
      { encoding: "utf8", env: { ...process.env, TZ: "UTC" } },
    );
    const times = [...calendar.matchAll(/(?:Next elapse|Iter\. #2): \w+ ([\d-]+ [\d:]+) UTC/g)].map(([, time]) =>
      Date.parse(`${time as string}Z`),
    );
    expect(times).toHaveLength(2);
    expect((times[1] as number) - (times[0] as number)).toBe(300_000);
  },
);

test("the service's ExecStart repairs the run with the unit's own environment", async () => {
  const box = sandbox();
  await bootShop(box);
  const unit = box.fill(unitText(UNITS[0]));
  expect([valuesOf(unit, "Type"), valuesOf(unit, "SuccessExitStatus"), valuesOf(unit, "KillMode")]).toEqual([
    ["oneshot"],
    ["3"],
    ["process"],
  ]);
  const [start, ...more] = valuesOf(unit, "ExecStart");
  expect(more).toEqual([]);
  expect(start).not.toMatch(/["'$%\\;|&<>]/); // systemd is no shell, and these words need none
  const env = Object.fromEntries(
    valuesOf(unit, "Environment").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  const before = await killServer(box.own);
  // Where node is here, and systemd's own path.
  const path = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const ended = await runBare((start as string).split(" "), { PATH: path, USER, ...env }, "/");
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(isAlive(serverPid(box.own))).toBe(true);
  expect(serverPid(box.own)).not.toBe(before);
});

/** The plugin as the page has it, where its NRPE line looks for it. */
function installPlugin({ fill }: Sandbox): string {
  const path = fill("/usr/local/lib/nagios/plugins/check_bootlevel");
  writeFileSync(path, fill(fileBlock("/usr/local/lib/nagios/plugins/check_bootlevel")));
  chmodSync(path, 0o755);
  return path;
}

const canSudo = existsSync("/usr/bin/sudo") && process.getuid?.() === 0;
if (!canSudo)
  console.log(
    "SKIPPED, since /usr/bin/sudo or root is missing (apt-get install sudo):\n  the sudo before NRPE's command in docs/monitoring.md; the command itself is run",
  );

test("NRPE's command is a plugin: OK and 0, then CRITICAL and 2; the monitor asks for it by its name", async () => {
  const box = sandbox();
  await bootShop(box);
  installPlugin(box);
  const [, name, line] = /^command\[(\w+)\]=(.*)$/m.exec(box.fill(fileBlock("/etc/nagios/nrpe.d/bootlevel.cfg"))) ?? [];
  const nrpe = () =>
    runBare(
      ["/bin/sh", "-c", canSudo ? (line as string) : (line as string).replace(/^\/usr\/bin\/sudo -n -u \S+ /, "")],
      { PATH: "/usr/bin:/bin" },
      "/",
    );
  const fine = await nrpe();
  expect(fine).toMatchObject({ code: 0, stderr: "" });
  expect(parsePluginLine(fine.stdout.trimEnd())).toMatchObject({ state: "OK", text: "1 of 1 service of shop ready" });
  await killServer(box.own);
  const broken = await nrpe();
  expect({ code: broken.code, state: parsePluginLine(broken.stdout.trimEnd()).state }).toEqual({
    code: 2,
    state: "CRITICAL",
  });
  const objects = fileBlock("/etc/nagios/conf.d/bootlevel.cfg");
  const [command, argument] = (/check_command\s+(\S+)/.exec(objects)?.[1] ?? "").split("!");
  expect(/command_name\s+(\S+)/.exec(objects)?.[1]).toBe(command);
  expect(/ -c (\S+)/.exec(objects)?.[1]?.replace("$ARG1$", argument ?? "")).toBe(name);
});

const visudo = "/usr/sbin/visudo";
if (!existsSync(visudo))
  console.log(
    `SKIPPED, since ${visudo} is missing (apt-get install sudo):\n  that sudo takes the rule of docs/monitoring.md`,
  );
(existsSync(visudo) ? test : test.skip)("sudo takes the rule, which allows the very command that NRPE calls", () => {
  const { bare, fill } = sandbox();
  const rule = fill(fileBlock("/etc/sudoers.d/bootlevel"));
  const file = join(bare, "sudoers");
  writeFileSync(file, rule, { mode: 0o440 });
  expect(execFileSync(visudo, ["-c", "-s", "-f", file], { encoding: "utf8" })).toContain("parsed OK");
  const [, allowed] = /NOPASSWD: (.*)$/m.exec(rule) ?? [];
  expect(fill(fileBlock("/etc/nagios/nrpe.d/bootlevel.cfg"))).toContain(`sudo -n -u ${USER} ${allowed}\n`);
});

test("the page's metrics are those that are written, and its rules use no others", async () => {
  const box = sandbox();
  await bootShop(box);
  const file = join(box.textfile, "shop.prom");
  expect(
    (await box.own.call(["status", "shop", "--prometheus", file], { env: { BOOTLEVEL_HOME: box.home } })).code,
  ).toBe(0);
  const metrics = parseMetrics(readFileSync(file, "utf8"));
  const rows = [...page.matchAll(/^\| `(bootlevel_\w+)` +\| (.*?) \|/gm)].map(([, name, labels]) => [
    name,
    [...(labels as string).matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ]);
  expect(rows).toEqual([...metrics].map(([name, { samples }]) => [name, Object.keys(samples[0]?.labels ?? {})]));
  const { groups } = parse(block("rules", (_text, language) => language === "yaml")) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.map(({ alert }) => alert)).toEqual([
    "BootlevelRunNotReady",
    "BootlevelServiceNotHealthy",
    "BootlevelNotChecked",
  ]);
  for (const { expr } of rules)
    for (const [name] of expr.matchAll(/bootlevel_\w+/g)) expect([...metrics.keys()]).toContain(name);
});
