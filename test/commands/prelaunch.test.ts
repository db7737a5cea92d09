/**
 * `prelaunch` as an operator meets it: what a failed and an interrupted boot say of machines that were started early.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation } from "../support/installation.js";

const plan = (first: string, prelaunch = "all") => `plan: early
prelaunch: ${prelaunch}
levels:
  - { name: one, services: { a: { boot: { command: "${first}" } } } }
  - { name: two, services: { b: { boot: { command: "true" } } } }
  - { name: three, services: { c: { boot: { command: "true" } } } }
`;
const machines = (home: string) => readdirSync(join(home, "drivers", "local", "machines"));

test("a boot that fails names the machines that it ended, history tells why, and a repair brings the run up", async () => {
  const own = installation();
  const folder = own.plan(
    plan(
      `test -e '${own.facts}/mended'; r=$?; until [ $(ls '${own.home}/drivers/local/machines' | wc -l) = 3 ]; do sleep 0.02; done; exit $r`,
    ),
  );
  const ended = await own.call(["boot", folder, "--name", "e"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(
    /\nStarted early for levels that never began, and ended: b \(\S+ in local\), c \(\S+ in local\)\n/,
  );
  expect(machines(own.home)).toHaveLength(1);
  const { document } = await own.json(["history", "e"]);
  expect(document.machines.map(({ service, end }: { service: string; end: string }) => [service, end])).toEqual([
    ["a", ""],
    ["b", "the run failed before its level began"],
    ["c", "the run failed before its level began"],
  ]);
  own.plan("", { mended: "" }, "facts");
  expect(await own.json(["repair", "e"])).toMatchObject({ code: 0, document: { state: "ready", unused: [] } });
  expect(machines(own.home)).toHaveLength(3);
});

test("an interrupted boot lists the machines that it keeps, show says so, and a resume uses them", async () => {
  const own = installation();
  const folder = own.plan(plan(`touch '${own.facts}/begun'; until test -e '${own.facts}/go'; do sleep 0.02; done`));
  const boot = own.start(["boot", folder, "--name", "e", "--json"]);
  await eventually("the early machines are there", () => own.fact("begun") !== null && machines(own.home).length === 3);
  let shown = "";
  boot.child.stderr?.on("data", (text: string) => {
    shown += text;
  });
  boot.child.kill("SIGINT");
  await eventually("the launcher says that it stops", () => shown.includes("stopping"));
  own.plan("", { go: "" }, "facts");
  const ended = await boot.ended;
  expect(ended.code).toBe(130);
  const before = machines(own.home).sort();
  const { unused } = JSON.parse(ended.stdout) as { unused: { service: string; ended: boolean }[] };
  expect(unused.map(({ service, ended: gone }) => [service, gone])).toEqual([
    ["b", false],
    ["c", false],
  ]);
  const { document } = await own.json(["show", "e"]);
  expect(document.levels.map(({ services }: { services: { state: string }[] }) => services[0]?.state)).toEqual([
    "verifying",
    "launching",
    "launching",
  ]);
  expect(await own.call(["boot", "--resume", "e"])).toMatchObject({ code: 0 });
  expect(machines(own.home).sort()).toEqual(before);
});
