/** The library reads of the environment what its caller says, and nothing else. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { boot, checkVariables, listRuns, loadPlan, showRun, terminate } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporaryDirectory.js";

const NAMES = ["BOOTLEVEL_HOME", "BOOTLEVEL_KEY", "LIB_WORD", "LC_LIB"];
const before = NAMES.map((name) => [name, process.env[name]] as const);
let directory = "";

beforeEach(() => {
  directory = temporaryDirectory();
  // What would be found if somebody looked.
  process.env["BOOTLEVEL_HOME"] = join(directory, "wrong");
  process.env["BOOTLEVEL_KEY"] = "no key";
  process.env["LIB_WORD"] = "wrong";
  process.env["LC_LIB"] = "wrong";
});

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function plan(): string {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "plan.yaml");
  writeFileSync(
    file,
    "plan: env\nvariables: { code: { secret: true, default: c0de-c0de } }\nlevels: [ { services: { a: { outputs: [word, lc, path], boot: { command: 'echo word=${env.LIB_WORD} >> $BOOTLEVEL_OUTPUT; echo lc=$LC_LIB >> $BOOTLEVEL_OUTPUT; echo path=$PATH >> $BOOTLEVEL_OUTPUT; : ${var.code}' } } } } ]\n",
  );
  return file;
}

const outputs = async (home: string) => {
  const { attributes = {} } = (await showRun("lib", { home })).levels[0]?.services[0] ?? {};
  return ["word", "lc", "path"].map((name) => attributes[name]?.value);
};

test("a variable of the process's own environment is none of the plan's", async () => {
  const loaded = await loadPlan(plan());
  await expect(checkVariables(loaded)).rejects.toMatchObject({
    code: "PLAN_INVALID",
    message: expect.stringMatching(/LIB_WORD is not set/),
  });
  await checkVariables(loaded, { env: { LIB_WORD: "right" } });
});

test("a run takes values, and its programs' environment, from what was given", async () => {
  const home = join(directory, "home");
  const env = { LIB_WORD: "right", LC_LIB: "C", PATH: "/bin:/usr/bin" };
  const result = await boot(await loadPlan(plan(), { env }), { home, env, name: "lib" });
  expect(result).toMatchObject({ state: "ready", failures: [] });
  expect(await outputs(home)).toEqual(["right", "C", expect.stringMatching(/\/bin:\/usr\/bin$/)]);
  await terminate("lib", { home });
});

test("the state is where BOOTLEVEL_HOME of the given environment says, else below its HOME", async () => {
  const [chosen, own] = [join(directory, "chosen"), join(directory, "user", ".bootlevel")];
  const lists = [{ BOOTLEVEL_HOME: chosen }, { HOME: join(directory, "user") }].map((env) => () => listRuns({ env }));
  for (const list of lists) expect(await list()).toEqual([]);
  // To look makes nothing. What is there is found.
  expect([chosen, own, join(directory, "wrong")].map((one) => existsSync(one))).toEqual([false, false, false]);
  for (const [index, home] of [chosen, own].entries()) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "bootlevel.db"), "no database");
    await expect(lists[index]?.()).rejects.toMatchObject({
      code: "STATE",
      message: expect.stringContaining(`the state database ${join(home, "bootlevel.db")} cannot be used`),
    });
  }
});
