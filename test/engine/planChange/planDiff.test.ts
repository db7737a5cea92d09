/** What a changed plan means for each service of a run. */
import { expect, test } from "@jest/globals";

import { diffPlans } from "../../../src/engine/planChange/planDiff.js";
import {
  replicaNames,
  type LaunchPlan,
  type ProgramSpec,
  type ServiceSpec,
} from "../../../src/plan/launchPlan/launchPlan.js";
import { parseTemplate } from "../../../src/plan/references/references.js";
import type { ServiceRecord, VariableRecord } from "../../../src/state/contract/records.js";
import { plan, service } from "../../support/plans.js";
import type { PlanVersion } from "../../../src/engine/planChange/planVersion.js";

const template = (text: string) => parseTemplate(text, "compiled").parts;

function program(line: string, parts: Partial<ProgramSpec> = {}): ProgramSpec {
  return {
    run: { kind: "command", line: template(line) },
    args: [],
    env: {},
    files: [],
    timeoutMs: 1_000,
    where: "machine",
    sudo: false,
    ...parts,
  };
}

function version(
  services: readonly ServiceSpec[],
  parts: { variables?: VariableRecord[]; sha?: string; plan?: Partial<LaunchPlan> } = {},
): PlanVersion {
  const bundles = Object.fromEntries(
    services.map(({ name }) => [`${name}.boot`, { path: "/b", sha256: parts.sha ?? "1", size: 1, entry: null }]),
  );
  return { plan: plan([{ name: "one", services }], parts.plan), bundles, variables: parts.variables ?? [] };
}

function records({ plan: { levels } }: PlanVersion): ServiceRecord[] {
  let id = 0;
  return levels.flatMap(({ services }, level) =>
    services.flatMap((spec) =>
      replicaNames(spec).map((name, index) => ({
        id: (id += 1),
        level,
        spec: spec.name,
        name,
        replica: index + 1,
        state: "ready" as const,
        failure: null,
        revision: 1,
        due: null,
        booted: true,
        said: null,
        updatedAt: 0,
      })),
    ),
  );
}

function diff(before: PlanVersion, after: PlanVersion) {
  return diffPlans(before, after, records(before), "run");
}

const actions = (before: PlanVersion, after: PlanVersion) =>
  Object.fromEntries(diff(before, after).map(({ name, action }) => [name, action]));

test("the same plan changes nothing", () => {
  const same = () =>
    version([
      service("db", { boot: program("x ${var.a} ${self.replicas}") }),
      service("web", { replicas: 3, boot: program("y ${db.host} ${web.2.host}") }),
    ]);
  expect(
    diff(same(), same()).every(
      ({ action, differences, was, id }) =>
        action === "keep" && differences.length === 0 && was === null && id !== null,
    ),
  ).toBe(true);
});

test("another first size replaces the machine; other sizes to try after it do not", () => {
  const of = (size: string, ...others: string[]) =>
    version([service("web", { size: template(size), fallbackSizes: others.map(template) })]);
  expect(actions(of("m5.large"), of("m5.large", "m5a.large"))).toEqual({ web: "keep" });
  expect(actions(of("m5.large", "m5a.large"), of("m5a.large", "m5.large"))).toEqual({ web: "replace" });
  expect(diff(of("m5.large"), of("m5.large", "m5a.large"))[0]?.differences).toEqual([
    "size (if there is no capacity): none → m5a.large",
  ]);
});

test.each([
  ["image", { image: template("debian-13") }, "replace"],
  ["size", { size: template("large") }, "replace"],
  ["a launch key", { launch: { zone: "b" } }, "replace"],
  ["the cloud", { placement: { kind: "cloud" as const, cloud: "other" } }, "replace"],
  ["a host in place of a cloud", { placement: { kind: "host" as const, host: template("10.0.0.1") } }, "replace"],
  ["the boot program's line", { boot: program("other") }, "boot"],
  ["an argument", { boot: program("boot", { args: [template("x")] }) }, "boot"],
  ["an environment variable", { boot: program("boot", { env: { A: template("x") } }) }, "boot"],
  ["sudo", { boot: program("boot", { sudo: true }) }, "boot"],
  ["an attribute", { attributes: { port: { value: template("2"), secret: false } } }, "boot"],
  ["promised outputs", { outputs: [{ name: "token", secret: false }] }, "boot"],
  [
    "the ready program",
    { ready: { ...program("check"), everyMs: 1, retries: null, windowMs: 1, bounded: false } },
    "verify",
  ],
  ["ssh", { ssh: { ...service("x").ssh, port: 2222 } }, "verify"],
  ["the terminate program", { terminate: program("bye") }, "keep"],
  ["the execute program", { execute: program("test") }, "execute"],
  ["the report", { report: { program: null, patterns: [template("out/*")], timeoutMs: 1, sudo: false } }, "keep"],
  [
    "an input",
    { inputs: [{ name: "a", source: { kind: "value" as const, value: template("1"), secret: false } }] },
    "boot",
  ],
  ["a time limit", { boot: program("boot", { timeoutMs: 5_000 }) }, "keep"],
] as const)("another %s", (_what, parts, action) => {
  const before = version([service("db", { boot: program("boot") })]);
  const after = version([service("db", { boot: program("boot"), ...parts })]);
  const [change] = diff(before, after);
  expect(change).toMatchObject({ name: "db", action, id: 1 });
  expect(change?.differences).not.toEqual([]);
});

test("the earliest stage wins, and every difference is named", () => {
  const [change] = diff(
    version([service("db", { boot: program("a") })]),
    version([service("db", { boot: program("b"), size: template("big") })]),
  );
  expect(change).toMatchObject({ action: "replace", differences: ["size: none → big", "boot: changed"] });
});

test("a program whose file has other bytes boots again", () => {
  const services = [service("db", { boot: program("boot") })];
  expect(actions(version(services), version(services, { sha: "2" }))).toEqual({ db: "boot" });
});

test("a variable's value counts where it is used, and only there, and is never shown", () => {
  const variable = (value: string): VariableRecord[] => [{ kind: "variable", name: "password", secret: true, value }];
  const services = [
    service("db", { boot: program("boot", { env: { P: template("${var.password}") } }) }),
    service("web", { boot: program("boot") }),
  ];
  const changes = diff(
    version(services, { variables: variable("hunter2") }),
    version(services, { variables: variable("geheim99") }),
  );
  expect(changes.map(({ name, action, differences }) => [name, action, differences])).toEqual([
    ["db", "boot", ["boot.env.P: changed"]],
    ["web", "keep", []],
  ]);
  expect(JSON.stringify(changes)).not.toMatch(/hunter2|geheim99/);
});

test("more replicas are added, fewer removed, and those that stay go on", () => {
  const web = (replicas: number) => version([service("web", { replicas, boot: program("boot") })]);
  expect(actions(web(2), web(3))).toEqual({ "web-1": "keep", "web-2": "keep", "web-3": "add" });
  expect(actions(web(3), web(2))).toEqual({ "web-1": "keep", "web-2": "keep", "web-3": "remove" });
  expect(actions(web(2), web(0))).toEqual({ "web-1": "remove", "web-2": "remove" });
});

test("the one replica is the first of many: it changes its name and keeps its machine", () => {
  const web = (replicas: number) => version([service("web", { replicas })]);
  expect(diff(web(1), web(2))).toMatchObject([
    { id: 1, name: "web-1", was: "web", action: "keep" },
    { id: null, name: "web-2", action: "add" },
  ]);
  expect(diff(web(2), web(1))).toMatchObject([
    { id: 1, name: "web", was: "web-1", action: "keep" },
    { id: 2, name: "web-2", action: "remove" },
  ]);
});

test("who refers to all replicas, or to their number, boots again when there are more", () => {
  const system = (replicas: number) =>
    version([
      service("web", { replicas, boot: program("x ${self.replica}") }),
      service("lb", { boot: program("x ${web.*.host}") }),
      service("one", { boot: program("x ${web.1.host}") }),
    ]);
  expect(actions(system(2), system(3))).toEqual({
    "web-1": "keep",
    "web-2": "keep",
    "web-3": "add",
    lb: "boot",
    one: "keep",
  });
  const counting = (replicas: number) => version([service("web", { replicas, boot: program("x ${self.replicas}") })]);
  expect(actions(counting(2), counting(3))).toEqual({ "web-1": "boot", "web-2": "boot", "web-3": "add" });
});

test("was: keeps the machine, and who refers to the service under its new name goes on", () => {
  const before = version([service("db", { boot: program("boot") }), service("web", { boot: program("x ${db.host}") })]);
  const after = version([
    service("store", { was: "db", boot: program("boot") }),
    service("web", { boot: program("x ${store.host}") }),
  ]);
  expect(diff(before, after)).toMatchObject([
    { id: 1, name: "store", was: "db", action: "keep", differences: [] },
    { id: 2, name: "web", was: null, action: "keep", differences: [] },
  ]);
});

test("without was: a renamed service is another one", () => {
  expect(actions(version([service("db")]), version([service("store")]))).toEqual({ store: "add", db: "remove" });
});

test("two services exchange their names", () => {
  const before = version([service("a", { size: template("small") }), service("b", { size: template("big") })]);
  const after = version([
    service("a", { was: "b", size: template("big") }),
    service("b", { was: "a", size: template("small") }),
  ]);
  expect(diff(before, after)).toMatchObject([
    { id: 2, name: "a", was: "b", action: "keep" },
    { id: 1, name: "b", was: "a", action: "keep" },
  ]);
});

test("a was: that was followed before is a remark", () => {
  const after = version([service("store", { was: "db" })]);
  expect(diff(after, after)).toMatchObject([{ id: 1, name: "store", was: null, action: "keep" }]);
});

test("a service in another level goes on there", () => {
  const before = version([service("db"), service("web")]);
  const after: PlanVersion = {
    ...before,
    plan: plan([
      { name: "one", services: [service("db")] },
      { name: "two", services: [service("web")] },
    ]),
  };
  expect(diff(before, after)).toMatchObject([
    { name: "db", action: "keep", level: 0 },
    { name: "web", action: "keep", level: 1, differences: ["level: one → two"] },
  ]);
});

test("a changed execute program executes again; one that was removed has nothing to do", () => {
  const of = (execute: ProgramSpec | null) => version([service("db", { execute })]);
  expect(actions(of(program("test")), of(program("test 2")))).toEqual({ db: "execute" });
  expect(actions(of(program("test")), of(program("test", { timeoutMs: 5_000 })))).toEqual({ db: "keep" });
  expect(actions(of(program("test")), of(null))).toEqual({ db: "keep" });
});

test("a number in a reference is the place among the replicas that are there: who moves up is another machine", () => {
  const of = (numbers: readonly number[]) =>
    version([
      service("web", { replicas: numbers.length, replicaNumbers: numbers }),
      service("edge", { boot: program("x ${web.3.host}") }),
    ]);
  expect(actions(of([1, 2, 4]), of([1, 2, 4]))["edge"]).toBe("keep");
  expect(actions(of([1, 2, 3]), of([1, 2, 4]))["edge"]).toBe("boot");
});
