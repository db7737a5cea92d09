/** `report` in plans: its forms, where it may stand, what becomes of it. */
import { expect, test } from "@jest/globals";

import { describePlan } from "../../../src/plan/describe.js";
import type { LaunchPlan, ReportSpec } from "../../../src/plan/launchPlan/launchPlan.js";
import { load, mistakesOf } from "../planFolder.js";

function reports(plan: LaunchPlan): Record<string, ReportSpec | null> {
  return Object.fromEntries(
    plan.levels.flatMap(({ services }) => services).map(({ name, report }) => [name, report ?? null]),
  );
}

test("a path, a map with a program, patterns, and both", async () => {
  const plan = await load(
    [
      "plan: a",
      "variables: { day: {} }",
      "levels:",
      "  - services:",
      "      path: { report: ok.sh, timeout: 5m }",
      "      none: {}",
      "      line: { report: { command: 'echo ${self.host}', args: [x], timeout: 2m, sudo: true, where: launcher } }",
      "      files: { report: { patterns: ['results/*.json', '/var/log/${var.day}/[ab]?.log'], timeout: 3m } }",
      "      both: { report: { program: ok.sh, patterns: [x] } }",
      "",
    ].join("\n"),
  );
  const { path, none, line, files, both } = reports(plan);
  expect(path).toMatchObject({
    program: { run: { kind: "file" }, timeoutMs: 300_000, where: "machine" },
    patterns: [],
    timeoutMs: 300_000,
    sudo: false,
  });
  expect(none).toBeNull();
  expect(line).toMatchObject({
    program: {
      run: { kind: "command", line: ["echo ", { kind: "self", attribute: "host" }] },
      args: [["x"]],
      where: "launcher",
      sudo: true,
      timeoutMs: 120_000,
    },
    timeoutMs: 120_000,
    sudo: true,
  });
  expect(files).toEqual({
    program: null,
    patterns: [["results/*.json"], ["/var/log/", { kind: "variable", name: "day" }, "/[ab]?.log"]],
    timeoutMs: 180_000,
    limitBytes: 4_294_967_296,
    fileLimitBytes: 1_073_741_824,
    sudo: false,
  });
  expect(both).toMatchObject({ program: { run: { kind: "file" } }, patterns: [["x"]] });
  expect(
    describePlan(plan).levels[0]?.services.flatMap(({ name, programs }) =>
      programs.map(({ step }) => `${name} ${step}`),
    ),
  ).toEqual(["path report", "line report", "both report"]);
});

test("defaults and a cloud's defaults may hold one, and are taken whole", async () => {
  const plan = await load(
    "plan: a\ndefaults: { report: { patterns: [all] } }\nclouds: { here: { driver: local, defaults: { report: { patterns: [cloud], sudo: true } } }, there: { driver: local } }\nlevels:\n  - services:\n      a: { cloud: here }\n      b: { cloud: there }\n      c: { cloud: here, report: { patterns: [own] } }\n",
  );
  expect(Object.entries(reports(plan)).map(([name, report]) => [name, report?.patterns, report?.sudo])).toEqual([
    ["a", [["cloud"]], true],
    ["b", [["all"]], false],
    ["c", [["own"]], false],
  ]);
});

test("references to outputs of the service itself are fine, to the unknown are not", async () => {
  const services = (pattern: string) =>
    `plan: a\nlevels:\n  - services:\n      a: { boot: ok.sh, outputs: [dir, { name: key, secret: true }], report: { patterns: ["${pattern}"] } }\n`;
  expect(await mistakesOf(services("${self.dri}/*"))).toEqual([
    expect.stringContaining('4: service "a" has no attribute "dri" -> dir'),
  ]);
  expect(await mistakesOf(services("${self.key}/*"))).toEqual([
    expect.stringContaining("4: ${self.key} is secret, but file names are printed in clear"),
  ]);
  expect(reports(await load(services("${self.dir}/*")))["a"]?.patterns).toEqual([
    [{ kind: "self", attribute: "dir" }, "/*"],
  ]);
});
