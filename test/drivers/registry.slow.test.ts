/**
 * Drivers of third parties: found beside the plan, used like the built-in ones, and refused with words when they are
 * broken.
 */
import { readFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { test, expect } from "@jest/globals";

import { loadDriver } from "../../src/drivers/registry.js";
import { CLI, installation } from "../support/installation.js";

/** A cloud of directories, to which it connects by shells of its own. What it is asked goes to `calls`. */
const driver = (facts: string) => `
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
const note = (line) => appendFileSync(${JSON.stringify(join(facts, "calls"))}, JSON.stringify(line) + "\\n");
const wrap = (child) => {
  let close;
  const lost = new Promise((resolve) => { close = () => { for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy(); child.unref(); resolve({ kind: "lost", reason: "closed" }); }; });
  const exited = new Promise((resolve) => child.once("close", (code) => resolve({ kind: "exited", code })));
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended: Promise.race([exited, lost]), close };
};
export default {
  name: "acme",
  cloudSchema: { type: "object", required: ["region"], additionalProperties: false, properties: { region: { enum: ["eu", "us"] } } },
  launchSchema: { type: "object", additionalProperties: false, properties: { disk: { type: "integer" }, label: { type: "string" } } },
  sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 1000 },
  create({ cloud, options, stateDirectory }) {
    note(["create", cloud, options]);
    const file = (id) => join(stateDirectory, id + ".json");
    const status = (id) => existsSync(file(id)) ? JSON.parse(readFileSync(file(id), "utf8")) : { id, key: null, state: "terminated", host: null, privateHost: null, hostname: null, access: null, reason: "gone" };
    return {
      async launch(requests) {
        note(["launch", requests.map(({ image, size, launch, mark }) => ({ image, size, launch, service: mark.service }))]);
        return requests.map(({ key }) => {
          const directory = join(stateDirectory, key);
          for (const folder of ["home", "tmp", "work"]) mkdirSync(join(directory, folder), { recursive: true });
          const machine = { id: key, key, state: "running", host: "127.9.9.9", privateHost: null, hostname: null, access: { kind: "driver", cloud, id: key, data: directory }, reason: "" };
          writeFileSync(file(key), JSON.stringify(machine));
          return { key, kind: "launched", machine };
        });
      },
      async describe(ids) { return ids.map(status); },
      async terminate(ids) { note(["terminate", ids.length]); return ids.map((id) => { rmSync(file(id), { force: true }); rmSync(join(stateDirectory, id), { recursive: true, force: true }); return { id, kind: "terminated" }; }); },
      async list() { return []; },
      async connect(id, { data: directory }) {
        let alive = true;
        return {
          label: id, workDirectory: join(directory, "work"),
          get alive() { return alive; },
          async open(command) {
            return wrap(spawn("/bin/sh", ["-c", command], { cwd: join(directory, "home"), detached: true }));
          },
          async close() { alive = false; },
        };
      },
      async close() { note(["close"]); },
    };
  },
};
`;
const plan = (name: string, keys = "region: eu", launch = "launch: { disk: 7, label: '${db.word}' }") =>
  `plan: acme\nvariables: { r: eu }\nclouds: { here: { driver: local }, there: { driver: '${name}', ${keys} } }\nlevels:\n  - name: one\n    services: { db: { cloud: here, outputs: [word], boot: { command: "echo word=hi there >> $BOOTLEVEL_OUTPUT" } } }\n  - name: two\n    services: { web: { cloud: there, image: "img-\${var.r}", size: big, ${launch}, boot: { command: "echo hello from $BOOTLEVEL_SERVICE" }, ready: { command: "true" } } }\n`;

test("a driver by file name launches, is asked at status, and terminates; its keys are checked and its references resolved", async () => {
  const own = installation();
  const folder = own.plan(plan("./drivers/acme.mjs", "region: '${var.r}'"), { "drivers/acme.mjs": driver(own.facts) });
  expect(await own.call(["boot", folder, "--name", "acme"])).toMatchObject({ code: 0, stderr: "" });
  expect(await own.call(["status", "acme"])).toMatchObject({ code: 0, stderr: "" });
  expect(await own.call(["terminate", "acme", "--yes"])).toMatchObject({ code: 0, stderr: "" });
  const calls = (own.fact("calls") ?? "")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown[]);
  expect(calls.map(([verb]) => verb)).toEqual([
    "create",
    "launch",
    "close",
    "create",
    "close",
    "create",
    "terminate",
    ...(calls.length > 8 ? ["terminate"] : []),
    "close",
  ]);
  expect(calls[0]).toEqual(["create", "there", { region: "eu" }]);
  expect(calls[1]).toEqual([
    "launch",
    [{ image: "img-eu", size: "big", launch: { disk: 7, label: "hi there" }, service: "web" }],
  ]);
});

test.each([
  ["another region", "region: mars", "", /mars/],
  ["an unknown key", "region: eu, zone: 1", "", /zone/],
  ["an unknown launch key", "region: eu", "launch: { dsik: 1 }", /did you mean "disk"/],
])("%s is a mistake of the plan with its place", async (_what, keys, launch, words) => {
  const own = installation();
  const ended = await own.call([
    "validate",
    own.plan(plan("./acme.mjs", keys, launch === "" ? undefined : launch), { "acme.mjs": driver(own.facts) }),
  ]);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toMatch(words);
  expect(ended.stderr).toMatch(/launch\.yaml:\d+:\d+/);
});

test.each([
  ["a file that is not there", "./nowhere.mjs", /nowhere\.mjs/],
  ["a package that is not installed", "@acme/bootlevel-driver", /npm install @acme\/bootlevel-driver/],
  ["a misspelt built-in driver", "locl", /did you mean "local"/],
  ["a file with a syntax error", "./syntax.mjs", /syntax\.mjs[\s\S]*(Unexpected|Invalid|SyntaxError)/],
  ["a file that throws", "./throws.mjs", /no licence/],
  ["a module that is no driver", "./empty.mjs", /is not a driver[\s\S]*default export/],
  ["a module without create()", "./half.mjs", /is not a driver[\s\S]*create\(\)/],
  ["a module whose sshDefaults is null", "./null.mjs", /is not a driver[\s\S]*sshDefaults/],
])("%s ends with 2, its place in the plan, and the remedy", async (_what, name, words) => {
  const own = installation();
  const files = {
    "syntax.mjs": "export default {{;\n",
    "throws.mjs": "throw new Error('no licence');\n",
    "empty.mjs": "export const x = 1;\n",
    "half.mjs": "export default { name: 'half', cloudSchema: null, launchSchema: null, sshDefaults: {} };\n",
    "null.mjs":
      "export default { name: 'null', cloudSchema: null, launchSchema: null, sshDefaults: null, create() {} };\n",
  };
  const ended = await own.call(["boot", own.plan(plan(name, "defaults: {}", "timeout: 1m"), files)]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toMatch(words);
  expect(ended.stderr).toMatch(/launch\.yaml:3:\d+/);
  expect(ended.stderr).not.toContain("a bug in bootlevel");
});

test("a driver whose calls throw fails the service with its words; what it launched is not forgotten", async () => {
  const own = installation();
  const text = driver(own.facts).replace(
    "async launch(requests) {",
    "async launch(requests) { throw new Error('quota of 3 machines reached');",
  );
  const { code, document } = await own.json([
    "boot",
    own.plan(plan("./acme.mjs"), { "acme.mjs": text }),
    "--name",
    "acme",
  ]);
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "web", step: "launch" }]);
  expect(document.failures[0].message).toContain("quota of 3 machines reached");
  expect(await own.call(["terminate", "acme", "--yes"])).toMatchObject({ code: 0 });
});

test("a driver that gives no answer for a request, or an answer without an address, fails that service", async () => {
  const own = installation();
  const text = driver(own.facts).replace("return requests.map(({ key }) => {", "return [].map(({ key }) => {");
  const { code, document } = await own.json(["boot", own.plan(plan("./acme.mjs"), { "acme.mjs": text })]);
  expect(code).toBe(1);
  expect(document.failures[0].message).toContain('the driver of cloud "there" returned no outcome for web');
});

test("a driver whose terminate fails keeps the run, says that the machine may still exist, and can be called again", async () => {
  const own = installation();
  const text = driver(own.facts).replace(
    "async terminate(ids) {",
    `async terminate(ids) { if (ids.length > 0 && !existsSync(${JSON.stringify(join(own.facts, "mended"))})) return ids.map((id) => ({ id, kind: "failed", error: new Error("the cloud says no") }));`,
  );
  const folder = own.plan(plan("./acme.mjs"), { "acme.mjs": text });
  expect((await own.call(["boot", folder, "--name", "acme"])).code).toBe(0);
  const ended = await own.call(["terminate", "acme", "--yes"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/may still exist: the cloud says no/);
  expect((await own.json(["show", "acme"])).document.levels[0].services[0].state).toBe("ready"); // the level below was not touched
  own.plan("", { mended: "" }, "facts");
  expect(await own.call(["terminate", "acme", "--yes"])).toMatchObject({ code: 0 });
});

test("an unreachable cloud gives 4", async () => {
  const own = installation();
  const text = driver(own.facts)
    .replace(
      "export default {",
      `import { CloudUnreachableError } from ${JSON.stringify(join(dirname(CLI), "index.js"))};\nexport default {`,
    )
    .replace(
      "async launch(requests) {",
      "async launch(requests) { throw new CloudUnreachableError('there', 'no route');",
    );
  const ended = await own.json(["boot", own.plan(plan("./acme.mjs"), { "acme.mjs": text })]);
  expect(ended.document.failures[0].message).toContain("cannot be reached");
  expect(ended.document.cloudUnreachable).toBe(true);
  expect(ended.code).toBe(4);
});

test("built-in drivers are found without a file, and names of objects' own parts are no drivers", async () => {
  expect((await loadDriver("local", "/")).name).toBe("local");
  expect((await loadDriver("existing", "/")).name).toBe("existing");
  for (const name of ["constructor", "toString", "__proto__"])
    await expect(loadDriver(name, "/")).rejects.toThrow(/cannot be loaded/);
  expect(existsSync("/node_modules")).toBe(false);
  expect(readFileSync(new URL("../../src/drivers/registry.ts", import.meta.url), "utf8")).toContain("local");
});
