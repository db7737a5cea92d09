/** Reload: references to replicas that come and go, execute programs, settings of the plan, and who follows. */
import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { boot, levels, tell, told } from "../support/liveRun.js";

let versions = 0;
const plan = (own: Installation, services: readonly string[], head = "", name = "live") =>
  own.plan(levels(name, services, head), {}, `version ${++versions}`);
const reload = (own: Installation, folder: string, ...words: string[]) =>
  own.call(["reload", "live", folder, ...(words.length > 0 ? words : ["--yes"])]);

test("${web-3.…} means the third replica that is there: three, two and three again never end in a dead end", async () => {
  const own = installation();
  const scaled = (replicas: number) =>
    plan(own, [
      `web: { replicas: ${replicas} }`,
      `edge: { boot: { command: "${tell(own, `last \${web-${replicas}.replica}`)}" } }`,
    ]);
  await boot(own, scaled(3), "live");
  expect(await reload(own, scaled(2))).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["last 2"]);
  expect(await reload(own, scaled(3))).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["last 4"]);
  expect(
    (await own.json(["show", "live"])).document.levels[0].services.map(({ name }: { name: string }) => name),
  ).toEqual(["web-1", "web-2", "web-4"]);
});

test("an execute program that was added or changed runs; one that was removed does not", async () => {
  const own = installation();
  const service = (execute: string) => plan(own, [`a: { boot: { command: "${tell(own, "boot")}" }, ${execute} }`]);
  await boot(own, service(""), "live");
  const added = await reload(own, service(`execute: { command: "${tell(own, "first")}" }`));
  expect(added.stdout).toMatch(/a +executes again +execute: new/);
  expect([added.code, told(own)]).toEqual([0, ["first"]]);
  expect((await reload(own, service(`execute: { command: "${tell(own, "second")}" }`))).code).toBe(0);
  expect(told(own)).toEqual(["second"]);
  expect((await reload(own, service(""))).code).toBe(0);
  expect(told(own)).toEqual([]);
});

test("a dry run names changed settings once, another name of the plan too, and does not say that nothing changes", async () => {
  const own = installation();
  await boot(own, plan(own, ["a: {}"], "concurrency: 100\n"), "live");
  const changed = plan(own, ["a: {}"], "concurrency: 50\n", "other");
  const dry = await reload(own, changed, "--dry-run");
  expect([dry.code, dry.stdout]).toEqual([
    0,
    "No service changes.\nplan: name: live → other\nplan: concurrency: 100 → 50\n1 service unchanged\nNothing was changed.\n",
  ]);
  const applied = await reload(own, changed);
  expect(applied.stdout).toContain("plan: name: live → other\n");
  expect((await reload(own, changed)).stdout).toBe("live already follows this plan: nothing to change.\n");
});

test("dry runs of reload and repair tell who may follow", async () => {
  const own = installation();
  const two = (size: string) =>
    plan(own, [`db: { size: ${size} }`, 'web: { boot: { command: "true", args: ["${db.host}"] } }']);
  await boot(own, two("small"), "live");
  expect((await reload(own, two("big"), "--dry-run")).stdout).toMatch(/web +may boot again +uses db\.host/);
  const repair = await own.call(["repair", "live", "--replace", "db", "--dry-run"]);
  expect(repair.stdout).toBe(
    "db: replace its machine, after its terminate program (it was requested)\n" +
      "web: boot again if db.host changes\n\nNothing was changed (--dry-run).\n",
  );
  expect((await own.json(["repair", "live", "--replace", "db", "--dry-run"])).document.followers).toEqual([
    { service: "web", stage: "boot", because: ["db.host"] },
  ]);
});
