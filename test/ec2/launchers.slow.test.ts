/**
 * Several launchers at one account: two installations side by side, one launcher in another's place, and one that
 * cleans up while another works.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, type Ec2Lab, type FaultSettings, type Held } from "../support/ec2Lab.js";
import { databaseName } from "../support/installation.js";
import { isAlive } from "../support/eventually.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab();
}, 90_000);
afterEach(async () => {
  lab.holds.clear();
  lab.faults.clear();
  const left = (await lab.live()).map(({ id }) => id);
  if (left.length > 0) await lab.change("terminate", left);
});
afterAll(async () => lab.close());

const plan = (replicas: number, keys = ""): string =>
  lab.plan(
    `plan: idle\n${lab.head("", keys)}defaults: { cloud: aws }\nlevels: [ { name: one, services: { web: { replicas: ${replicas}, ready: { command: "true", where: launcher } } } } ]\n`,
  );
const home = (name = "operator"): string => lab.network.outside(`/mnt/${name}/état`);
const ids = async (run: string) =>
  (await lab.live())
    .filter(({ tags }) => tags["bootlevel:run-name"] === run)
    .map(({ id }) => id)
    .sort();
const living = async () => (await lab.live()).map(({ id }) => id).sort();
const groups = async () =>
  (await lab.inventory.securityGroups())
    .filter(({ GroupName }) => GroupName?.startsWith("bootlevel-"))
    .map(({ Description }) => Description);

const noTags: FaultSettings["rule"] = (action) =>
  action === "CreateTags" ? { status: 403, code: "UnauthorizedOperation", message: "no" } : null;

/** The launcher that works now seems to have been silent for long. */
function age(): void {
  // The database's library looks for the real path of the file, which is one in the lab.
  const script = `const db = new (require("${createRequire(import.meta.url).resolve("better-sqlite3")}"))("/mnt/operator/état/${databaseName(home()) ?? ""}"); db.prepare("UPDATE leases SET renewed_at = renewed_at - 60000, renewed_uptime = renewed_uptime - 60000").run(); db.close();`;
  const [program = "", ...words] = lab.network.words([process.execPath, "--input-type=commonjs", "--eval", script]);
  execFileSync(program, words);
}

test("two installations boot at the rates of one account: each has its own machines, nobody fails", async () => {
  lab.faults.set({ buckets: true, hiddenMs: 500 });
  const folder = plan(60);
  const both = [{ home: "one" }, { home: "other" }];
  const boots = await Promise.all(both.map((options) => lab.json(["boot", folder, "--name", options.home], options)));
  expect(boots).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect(await Promise.all(both.map(async ({ home: run }) => (await ids(run)).length))).toEqual([60, 60]);
  expect(await lab.json(["clean", "--all", "--dry-run"], { home: "one" })).toMatchObject({
    code: 0,
    document: { found: [] },
  });
  expect(await lab.json(["terminate", "one"], { home: "one" })).toMatchObject({ code: 0 });
  expect(await ids("other")).toHaveLength(60);
  expect(await lab.json(["terminate", "other"], { home: "other" })).toMatchObject({ code: 0 });
  expect([await living(), await groups()]).toEqual([[], []]);
}, 240_000);

test.each<[string, "before" | "after", (held: Held["call"]) => boolean]>([
  ["inside of RunInstances, which takes effect", "after", ({ action }) => action === "RunInstances"],
  [
    "right before RunInstances",
    "after",
    ({ action, parameters }) => action === "AuthorizeSecurityGroupIngress" && [...parameters.values()].includes("-1"),
  ],
  ["while it gives tags", "before", ({ action }) => action === "CreateTags"],
])(
  "a launcher freezes %s, another one carries on with its run, and it wakes up: it makes no machine and changes nothing",
  async (what, moment, fits) => {
    const run = `frozen-${what.length}`;
    lab.faults.set({ tokens: false, hiddenMs: 500 });
    const reached = lab.holds.next(moment, fits);
    const sleeper = lab.start(["boot", plan(3, "visibility_seconds: 3"), "--name", run]);
    const held = await reached;
    sleeper.child.kill("SIGSTOP");
    held.end("go on");
    age();
    expect(await lab.json(["boot", "--resume", run])).toMatchObject({ code: 0, document: { state: "ready" } });
    const machines = await ids(run);
    expect(machines).toHaveLength(3);
    lab.forgetCalls();
    expect(isAlive(sleeper.pid)).toBe(true);
    sleeper.child.kill("SIGCONT");
    const end = await sleeper.ended;
    expect(end.code).toBe(3);
    expect(end.stderr).toContain("another launcher took over this run, because this launcher had stopped responding");
    // Tags that were on their way are the same whoever gives them.
    expect(
      lab
        .calls()
        .map(({ action }) => action)
        .filter((action) => !/^(Describe|CreateTags$)/.test(action)),
    ).toEqual([]);
    expect(await ids(run)).toEqual(machines);
    expect(await lab.json(["status", run])).toMatchObject({ code: 0, document: { healthy: true } });
    expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
    expect([await ids(run), await groups()]).toEqual([[], []]);
  },
  120_000,
);

test("clean shows no machine of a run that lives, with or without tags and files of its own", async () => {
  const clean = async () =>
    (await lab.json(["clean", "--all", "--dry-run"])).document.found.map(({ id }: { id: string }) => id).sort();
  lab.faults.set({ rule: noTags });
  const reached = lab.holds.next("before", ({ action }) => action === "CreateTags");
  const booting = lab.start(["boot", plan(3), "--name", "young"]).ended;
  const held = await reached;
  expect(await ids("young")).toHaveLength(3);
  expect(await clean()).toEqual([]);
  held.end("cut");
  expect(await booting).toMatchObject({ code: 0 });
  expect((await lab.live()).filter(({ tags }) => tags["bootlevel:key"] !== undefined)).toEqual([]);
  expect(await clean()).toEqual([]);
  rmSync(join(home(), "drivers", "ec2"), { recursive: true });
  expect(await clean()).toEqual([]);
  expect(await lab.json(["terminate", "young"])).toMatchObject({ code: 0 });
  expect([await living(), await groups()]).toEqual([[], []]);
}, 120_000);

test("clean ends exactly the machines of an installation whose database was lost, tags of their own or not, and their security groups", async () => {
  const folder = plan(3);
  expect(await lab.json(["boot", folder, "--name", "lost"])).toMatchObject({ code: 0 });
  lab.faults.set({ rule: noTags });
  expect(await lab.json(["boot", folder, "--name", "bare"])).toMatchObject({ code: 0 });
  expect(await lab.json(["boot", folder, "--name", "foreign"], { home: "neighbour" })).toMatchObject({ code: 0 });
  const own = [...(await ids("lost")), ...(await ids("bare"))].sort();
  expect(own).toHaveLength(6);
  for (const name of readdirSync(home())) if (name !== "installation") rmSync(join(home(), name), { recursive: true });
  const shown = await lab.json(["clean", "--all", "--plan", folder, "--dry-run"]);
  expect(shown.document.found.map(({ id }: { id: string }) => id).sort()).toEqual(own);
  const ended = await lab.json(["clean", "--all", "--plan", folder, "--yes"]);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.document.ended.map(({ id }: { id: string }) => id).sort()).toEqual(own);
  expect((await lab.live()).map(({ id }) => id).sort()).toEqual(await ids("foreign"));
  expect(await groups()).toHaveLength(1);
  expect(await lab.json(["terminate", "foreign"], { home: "neighbour" })).toMatchObject({ code: 0 });
  expect([await living(), await groups()]).toEqual([[], []]);
}, 120_000);
