/** `--json`: one document on stdout whatever happens, progress on stderr only. */
import { readFileSync } from "node:fs";

import { test, expect } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation } from "../support/installation.js";

const plan = `plan: doc
variables: { greeting: Hello }
levels:
  - name: one
    services:
      a: { attributes: { port: 80 }, outputs: [id], boot: { command: "echo booting a; echo id=7 >> $BOOTLEVEL_OUTPUT" }, ready: { command: "echo looking; true" }, terminate: { command: "echo bye" } }
  - name: two
    services:
      b: { replicas: 2, boot: { command: "echo \${var.greeting}" } }
`;

test("every command prints one document with its name and version, and progress goes to stderr", async () => {
  const own = installation();
  const folder = own.plan(plan);
  const expected = { version: 1 };

  const validated = await own.json(["validate", folder]);
  expect(validated).toMatchObject({
    code: 0,
    stderr: "",
    document: { ...expected, command: "validate", valid: true, plan: { plan: "doc", services: 3, machines: 3 } },
  });

  const dry = await own.json(["boot", folder, "--dry-run"]);
  expect(dry).toMatchObject({ code: 0, stderr: "", document: { ...expected, command: "boot", dryRun: true } });

  const booted = await own.json(["boot", folder, "--name", "doc", "--verbose"]);
  expect(booted).toMatchObject({
    code: 0,
    document: { ...expected, command: "boot", run: "doc", state: "ready", failures: [], cloudUnreachable: false },
  });
  expect(booted.document.ms).toBeGreaterThan(0);
  expect(booted.stderr).toMatch(/run doc boot[\s\S]*level 1 one[\s\S]*a boot \| booting a[\s\S]*level 2 two/);

  const listed = await own.json(["list"]);
  expect(listed).toMatchObject({
    code: 0,
    stderr: "",
    document: { ...expected, command: "list", runs: [{ name: "doc", state: "ready", services: 3, ready: 3 }] },
  });

  const shown = await own.json(["show", "doc"]);
  expect(shown).toMatchObject({
    code: 0,
    stderr: "",
    document: {
      ...expected,
      command: "show",
      run: "doc",
      number: 1,
      plan: "doc",
      state: "ready",
      variables: { greeting: { secret: false, value: "Hello" } },
    },
  });
  expect(shown.document.levels[0].services[0].attributes).toMatchObject({
    port: { kind: "declared", secret: false, value: "80" },
    id: { kind: "output", secret: false, value: "7" },
    cloud: { kind: "builtin" },
    replica: { kind: "builtin", value: "1" },
  });

  const logs = await own.json(["logs", "doc", "a"]);
  expect(logs).toMatchObject({ code: 0, stderr: "", document: { ...expected, command: "logs", run: "doc" } });
  expect(logs.document.logs.map(({ service, step }: { service: string; step: string }) => [service, step])).toEqual([
    ["a", "boot"],
    ["a", "ready"],
  ]);
  for (const log of logs.document.logs) expect(log.text).toBe(readFileSync(log.path, "utf8"));

  const events = await own.json(["events", "doc"]);
  expect(events).toMatchObject({ code: 0, stderr: "", document: { ...expected, command: "events", run: "doc" } });
  const types = events.document.events.map(({ type }: { type: string }) => type);
  expect(types[0]).toBe("run-started");
  expect(types.at(-1)).toBe("run-finished");

  const status = await own.json(["status", "doc"]);
  expect(status).toMatchObject({
    code: 0,
    document: { ...expected, command: "status", run: "doc", state: "ready", healthy: true },
  });
  expect(
    status.document.services.map(
      ({ service, healthy, exitCode }: { service: string; healthy: boolean; exitCode: number | null }) => [
        service,
        healthy,
        exitCode,
      ],
    ),
  ).toEqual([
    ["a", true, 0],
    ["b-1", true, null],
    ["b-2", true, null],
  ]);

  const ended = await own.json(["terminate", "doc", "--verbose"]);
  expect(ended).toMatchObject({
    code: 0,
    document: { ...expected, command: "terminate", runs: [{ run: "doc", state: "terminated", failures: [] }] },
  });
  expect(ended.document.runs[0].terminated).toHaveLength(3);
  expect(ended.stderr).toContain("a terminate | bye");
});

test.each([
  ["validate", ["validate", "nowhere.yaml"]],
  ["boot", ["boot", "nowhere.yaml"]],
  ["boot", ["boot", "x", "--nmae", "y"]],
  ["boot", ["boot"]],
  ["status", ["status", "ghost"]],
  ["terminate", ["terminate", "ghost"]],
  ["terminate", ["terminate"]],
  ["show", ["show", "ghost"]],
  ["logs", ["logs", "ghost"]],
  ["events", ["events", "ghost"]],
  ["list", ["list", "--what"]],
  ["bot", ["bot"]],
])("an error of %s is one document on stdout as well (%j)", async (command, words) => {
  const own = installation();
  const { code, document, stderr } = await own.json(words);
  expect(code).toBe(2);
  expect(document).toMatchObject({ version: 1, command, error: { exitCode: 2 } });
  expect(document.error.message).not.toBe("");
  expect(stderr).toBe("");
});

test("--json may stand before the command, or be written --json=true", async () => {
  const own = installation();
  for (const words of [
    ["--json", "show", "ghost"],
    ["show", "--json=true", "ghost"],
  ]) {
    const ended = await own.call(words);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout)).toMatchObject({ command: "show", error: { exitCode: 2 } });
  }
});

test("the name of a command in an error's document is the command's, also when an option's value comes before it", async () => {
  const own = installation();
  const { document } = await own.json(["--name", "x", "boot", "nowhere.yaml"]);
  expect(document.command).toBe("boot");
});

test("terminate of two runs is one document that tells of both, also of the one that could not be ended", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: pair\nlevels:\n  - name: one\n    services:\n      a: { terminate: { command: "test -f '${own.facts}/mended'" } }\n`,
  );
  for (const name of ["one", "two"]) expect((await own.call(["boot", folder, "--name", name])).code).toBe(0);
  const { code, document } = await own.json(["terminate", "one", "two"]);
  expect(code).toBe(1);
  expect(document.runs.map(({ run, state }: { run: string; state: string }) => [run, state])).toEqual([
    ["one", "failed"],
    ["two", "failed"],
  ]);
});

test("terminate of two runs of which one is busy tells of the busy one in its document", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: busy\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: "touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done" } }\n`,
  );
  const idle = own.plan("plan: idle\nlevels:\n  - name: one\n    services: { a: {} }\n", {}, "idle");
  expect((await own.call(["boot", idle, "--name", "idle"])).code).toBe(0);
  const boot = own.start(["boot", folder, "--name", "busy"]);
  await eventually("the boot program runs", () => own.fact("begun") !== null);
  const { code, document } = await own.json(["terminate", "busy", "idle"]);
  expect(code).toBe(3);
  expect(JSON.stringify(document)).toMatch(/is busy/);
  expect(document.runs).toContainEqual(expect.objectContaining({ run: "idle", state: "terminated" }));
  own.plan("", { go: "" }, "facts");
  await boot.ended;
});

test("a failing boot and a status that is not well are documents with what went wrong", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: bad\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: 'echo first; echo last; exit 3' } }\n",
  );
  const booted = await own.json(["boot", folder, "--name", "bad"]);
  expect(booted).toMatchObject({
    code: 1,
    document: {
      state: "failed",
      failures: [{ service: "a", level: "one", step: "boot", exitCode: 3, lastLines: ["first", "last"] }],
    },
  });
  expect(readFileSync(booted.document.failures[0].log, "utf8")).toContain("first\nlast\n");
  const status = await own.json(["status", "bad"]);
  expect(status).toMatchObject({
    code: 1,
    document: { state: "failed", healthy: false, services: [{ service: "a", healthy: false }] },
  });
});
