import { expect, test } from "@jest/globals";
import { join } from "node:path";
import type { LaunchPlan } from "../../../src/plan/launchPlan/launchPlan.js";
import { resolveVariables, type VariableSources } from "../../../src/plan/references/variables.js";
import { load, planError, planFolder, sentences } from "../planFolder.js";

const NOTHING: VariableSources = { given: {}, varFiles: [], env: {} };

function resolve(plan: LaunchPlan, sources: Partial<VariableSources>): Promise<Record<string, string>> {
  return Promise.resolve().then(() =>
    Object.fromEntries(
      [...resolveVariables(plan, { ...NOTHING, ...sources }).values].map(([name, { value }]) => [name, value]),
    ),
  );
}

test("--var comes first, then the last var file, then the environment, then the default", async () => {
  const plan = await load("plan: a\nvariables: { v: { default: default, env: V } }\nlevels: []");
  const folder = planFolder({ "one.yaml": "v: one", "two.yaml": "v: two" });
  const varFiles = [join(folder, "one.yaml"), join(folder, "two.yaml")];
  expect(await resolve(plan, { given: { v: "given" }, varFiles, env: { V: "env" } })).toEqual({ v: "given" });
  expect(await resolve(plan, { varFiles, env: { V: "env" } })).toEqual({ v: "two" });
  expect(await resolve(plan, { env: { V: "env" } })).toEqual({ v: "env" });
  expect(await resolve(plan, {})).toEqual({ v: "default" });
});

test("an empty string is a value", async () => {
  const plan = await load("plan: a\nvariables: { v: { default: default, env: V }, w: '' }\nlevels: []");
  expect(await resolve(plan, { env: { V: "" } })).toEqual({ v: "", w: "" });
  expect(await resolve(plan, { given: { v: "" } })).toEqual({ v: "", w: "" });
});

test("numbers of a var file keep their text", async () => {
  const plan = await load("plan: a\nvariables: { v: {}, w: {} }\nlevels: []");
  expect(await resolve(plan, { varFiles: [join(planFolder({ "v.yaml": "v: 1.10\nw: true\n" }), "v.yaml")] })).toEqual({
    v: "1.10",
    w: "true",
  });
});

test("a byte order mark and CR LF line ends of a var file are no part of its names and values", async () => {
  const plan = await load("plan: a\nvariables: { v: {}, w: {} }\nlevels: []");
  const file = join(planFolder({ "v.yaml": "\ufeffv: one\r\nw: two\r\n" }), "v.yaml");
  expect(await resolve(plan, { varFiles: [file] })).toEqual({ v: "one", w: "two" });
});

test("secrets are marked, and the environment that references need is read", async () => {
  const plan = await load(
    'plan: a\nvariables: { s: { secret: true, env: S } }\nlevels: [{ services: { a: { image: "${env.IMAGE}" } } }]',
  );
  const { values, environment } = resolveVariables(plan, { ...NOTHING, env: { S: "x", IMAGE: "" } });
  expect([...values]).toEqual([["s", { value: "x", secret: true }]]);
  expect([...environment]).toEqual([["IMAGE", ""]]);
});

test("everything that is missing or unknown is said at once, at its declaration", async () => {
  const plan = await load(
    'plan: a\nvariables:\n  greeting: {}\n  password: { secret: true, env: PASSWORD, description: of the shop }\nlevels: [{ services: { a: { image: "x-${env.IMAGE}" } } }]',
  );
  const error = await planError(resolve(plan, { given: { greting: "x" } }));
  expect(error.message.replaceAll(plan.file, "plan.yaml")).toBe(
    `--var greting: unknown variable "greting", did you mean "greeting"?

plan.yaml:3:3: variable "greeting" has no value: use --var greeting=… or --var-file
    3 |   greeting: {}
      |   ^^^^^^^^

plan.yaml:4:3: variable "password" (of the shop) has no value: use --var-file, or set PASSWORD in the environment
    4 |   password: { secret: true, env: PASSWORD, description: of the shop }
      |   ^^^^^^^^

plan.yaml:5:42: environment variable IMAGE is not set, but the plan refers to it: set it
    5 | levels: [{ services: { a: { image: "x-\${env.IMAGE}" } } }]
      |                                       ^^^^^^^^^^^^`.replace("5:42", "5:39"),
  );
});

test("the environment of a cloud that nobody uses is not needed", async () => {
  const plan = await load(
    'plan: a\nclouds: { a: { driver: local }, b: { driver: ec2, key: "${env.NOT_SET}" } }\ndefaults: { cloud: a }\nlevels: [{ services: { x: {} } }]',
  );
  expect(plan.environment).toEqual([]);
});

test("a mistake in a var file shows its name and never its value", async () => {
  const plan = await load("plan: a\nvariables: { password: { secret: true } }\nlevels: []");
  const file = (text: string): string => join(planFolder({ "v.yaml": text }), "v.yaml");
  const misspelt = await planError(resolve(plan, { varFiles: [file("pasword: hunter2\npassword: ok\n")] }));
  expect(misspelt.message).toContain('unknown variable "pasword", did you mean "password"?');
  expect(misspelt.message).not.toContain("hunter2");
  for (const text of [
    'password: "hunter2',
    "password: [hunter2]",
    "hunter2",
    "password:\n\thunter2",
    "password: *hunter2",
    "password: !hunter2 x",
    '- a\n"hunter2": x',
  ]) {
    expect((await planError(resolve(plan, { varFiles: [file(text)] }))).message).not.toContain("hunter2");
  }
});

test("var files that are missing, NUL bytes and odd names are refused with reasons", async () => {
  const plan = await load("plan: a\nvariables: { v: x }\nlevels: []");
  expect(
    await sentences(resolve(plan, { varFiles: ["/nowhere/v.yaml"], given: { v: "a\0b", constructor: "x" } })),
  ).toEqual([
    expect.stringContaining("no such file"),
    expect.stringContaining("NUL byte"),
    expect.stringContaining('unknown variable "constructor"'),
  ]);
});

test("a line that is no longer there is not shown", async () => {
  const plan = await load("plan: a\nvariables: { v: {} }\nlevels: []");
  const moved = {
    ...plan,
    variables: plan.variables.map((variable) => ({
      ...variable,
      source: { ...variable.source, file: "/gone/plan.yaml" },
    })),
  };
  expect((await planError(resolve(moved, {}))).message).toMatch(
    /^\/gone\/plan.yaml:2:14: variable "v" has no value: [^\n]*$/,
  );
});
