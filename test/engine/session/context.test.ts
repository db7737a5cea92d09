/** Contexts that follow their run's plan, and sessions that outlive them. */
import { expect, test } from "@jest/globals";

import { runToEnd } from "../../../src/engine/operations/runToEnd.js";
import { statusRun } from "../../../src/engine/operations/status.js";
import { closeContext } from "../../../src/engine/session/openContext.js";
import { Session } from "../../../src/engine/session/session.js";
import type { BlRequest } from "../../../src/machines/coordination/blRequest.js";
import type { RunContext } from "../../../src/engine/run/context.js";
import type { Service } from "../../../src/engine/run/service.js";
import type { VariableRecord } from "../../../src/state/contract/records.js";
import { eventually } from "../../support/eventually.js";
import { OpenedRun, said } from "../../support/openedRun.js";

const code = (value: string): VariableRecord => ({ kind: "variable", name: "code", secret: true, value });
const secret = "variables: { code: { secret: true } }\n";
const level = (services: string) =>
  `${secret}levels:\n  - name: l\n    services:\n${services.replace(/^/gm, "      ")}\n`;
const never = new AbortController().signal;

const sets = "outputs: [v], boot: { command: 'echo v=booted >> $BOOTLEVEL_OUTPUT' }";
const first = level(`same: { ${sets} }\nold: { ${sets} }\nweb: { replicas: 2 }\ngone: {}`);
const second = level(`same: { ${sets} }\nnew: { was: old, ${sets} }\nweb: { replicas: 3 }`);

const named = (context: RunContext, name: string): Service => context.byName.get(name) as Service;
const names = (services: readonly Service[]): string[] => services.map(({ name }) => name);
/** How a request arrives for the first time. */
const once = { id: "1", again: false };
const asks = (verb: "get" | "set", name: string, value = ""): BlRequest => ({
  verb,
  name,
  value: Buffer.from(value),
  timeoutMs: null,
  wait: true,
  ignoreAbort: false,
  parties: null,
});

test("a context follows a revision that adds, removes and renames services and changes a secret; its connections stay", async () => {
  const own = await OpenedRun.boot(5, first, [code("hunter-one")]);
  const context = await own.open(null);
  const before = context.view;
  const [same, old] = [named(context, "same"), named(context, "old")];
  const connections = [await own.connection(context, "old"), await own.connection(context, "web-2")];
  const logins = await own.logins();

  await own.revise(context, second, [code("hunter-two")]);
  expect(context.view).toBe(before);
  const change = await context.follow();

  expect({ ...change, added: names(change.added), removed: names(change.removed) }).toEqual({
    from: 1,
    to: 2,
    added: ["web-3"],
    removed: ["gone"],
    renamed: new Map([["old", "new"]]),
  });
  expect(context.revision).toBe(2);
  expect(names(context.levels.flat())).toEqual(["same", "new", "web-1", "web-2", "web-3"]);
  expect(names(context.dropped)).toEqual(["gone"]);
  expect(names(context.bySpec.get("web") ?? [])).toEqual(["web-1", "web-2", "web-3"]);
  expect(context.byName.has("old")).toBe(false);
  // Whoever keeps a service finds it again; what did not change is the same object.
  expect(named(context, "same")).toBe(same);
  expect(context.current(old)).toBe(named(context, "new"));
  expect(context.current(old).id).toBe(old.id);
  // A reader of the view before sees all of that one.
  expect([before.revision, names(before.levels.flat())]).toEqual([1, ["same", "old", "web-1", "web-2", "gone"]]);
  expect(context.redactor.redact("hunter-one, hunter-two")).toBe("[secret], [secret]");
  expect(context.attributes.resolve([{ kind: "variable", name: "code" }], null)).toBe("hunter-two");

  expect(await own.connection(context, "new")).toBe(connections[0]);
  expect(await own.connection(context, "web-2")).toBe(connections[1]);
  expect(await own.logins()).toBe(logins);
  await closeContext(context);
  for (const connection of connections) expect(connection.alive).toBe(false);
}, 60_000);

test("a program that runs while its context follows is left alone, and bl goes on under the service's new name", async () => {
  const own = await OpenedRun.boot(5, first, [code("hunter-one")]);
  const context = await own.open(null);
  const { coordination } = context;
  const [same, old] = [named(context, "same"), named(context, "old")];
  const program = await (await own.connection(context, "old")).open("read word; echo $word; exit 7");
  coordination.progress.expect(context.levels.flat());
  coordination.progress.begin([same, old]);
  context.attributes.outdate("old", "boot");
  const waits = coordination.handler(same, "boot", "step", () => undefined)(asks("get", "old:v"), never, once);
  const renamed = coordination.handler(old, "boot", "step", () => undefined);
  const waitsForItself = renamed(asks("get", "v"), never, once);

  await own.revise(context, second, [code("hunter-two")]);
  await Promise.all([context.follow(), context.follow()]);

  expect(await renamed(asks("set", "v", "from the program"), never, once)).toEqual({ code: 0 });
  expect((await waits).value?.toString()).toBe("from the program");
  expect((await waitsForItself).value?.toString()).toBe("from the program");
  expect(context.attributes.of("new").get("v")?.value).toBe("from the program");
  // What this launcher has set is newer than what a later look at the record may bring.
  await context.follow();
  expect(context.attributes.of("new").get("v")?.value).toBe("from the program");
  const record = await own.store.attributes(own.run);
  expect(record.find(({ serviceId, name }) => serviceId === old.id && name === "v")?.value).toBe("from the program");
  program.stdin.write("still here\n");
  expect(await said(program)).toEqual({ text: "still here", code: 7 });
  await closeContext(context);
}, 60_000);

test("a context that only looks follows what another one stores", async () => {
  const own = await OpenedRun.boot(5, first, [code("hunter-one")]);
  const [works, looks] = [await own.open(null), await own.open(null, { looks: true })];
  await works.coordination.handler(
    named(works, "same"),
    "boot",
    "step",
    () => undefined,
  )(asks("set", "v", "one"), never, once);
  await looks.follow();
  expect(looks.attributes.of("same").get("v")?.value).toBe("one");
  await own.revise(works, second, [code("hunter-two")]);
  expect((await looks.follow()).to).toBe(2);
  expect(names(looks.levels.flat())).toEqual(["same", "new", "web-1", "web-2", "web-3"]);
  expect(await looks.follow()).toEqual({ from: 2, to: 2, added: [], removed: [], renamed: new Map() });
  await closeContext(looks);
  await closeContext(works);
}, 60_000);

test("contexts of one session share a connection; a program ends with its own context, the connection with the session", async () => {
  const own = await OpenedRun.boot(1, level("a: {}"), [code("hunter-one")]);
  const logins = await own.logins();
  const session = new Session();
  const [works, looks] = [await own.open(session), await own.open(session, { looks: true })];
  const left = await (await own.connection(works, "a")).open("sleep 30");
  const stays = await (await own.connection(looks, "a")).open("read word; echo $word");
  expect(await own.logins()).toBe(logins + 1);

  await closeContext(works);
  expect(await left.ended).toMatchObject({ kind: "lost" });
  stays.stdin.write("on\n");
  expect(await said(stays)).toEqual({ text: "on", code: 0 });
  await closeContext(looks);
  const third = await own.open(session, { looks: true });
  expect(await said(await (await own.connection(third, "a")).open("echo again"))).toEqual({ text: "again", code: 0 });
  expect(await own.logins()).toBe(logins + 1);
  // It knows what was secret before, too.
  works.redactor.add(["once-a-secret"]);
  expect(third.redactor.redact("once-a-secret")).toBe("[secret]");

  const goodbyes = await own.goodbyes();
  await closeContext(third);
  expect([session.connections.size, await own.goodbyes()]).toEqual([1, goodbyes]);
  await session.close();
  expect(session.connections.size).toBe(0);
  await eventually("the host sees the connection end", async () => (await own.goodbyes()) === goodbyes + 1);
}, 60_000);

test("a session that is closed first takes the connections of its contexts along, and they close all the same", async () => {
  const own = await OpenedRun.boot(1, level("a: {}"), [code("hunter-one")]);
  const session = new Session();
  const context = await own.open(session);
  const connection = await own.connection(context, "a");
  await session.close();
  expect(connection.alive).toBe(false);
  await expect(connection.open("true")).rejects.toThrow("closed");
  await closeContext(context);
}, 60_000);

test("a run from its boot to the end of its machine takes one login, and so do checks in one session", async () => {
  const own = await OpenedRun.prepare(1);
  const ready = "ready: { command: 'true' }, execute: { command: 'true' }, report: { patterns: ['*.txt'] }";
  const plan = await own.plan(`levels: [{ name: l, services: { a: { ${ready}, terminate: { command: 'true' } } } }]\n`);
  const start = { kind: "plan", plan, variables: [], name: "r" } as const;
  const request = { force: false, waitMs: 0, observe: () => undefined, signal: never };
  const ended = await runToEnd(own.store, { ...request, start, keep: null });
  expect(ended).toMatchObject({ success: true, terminated: { state: "terminated" } });
  expect([await own.logins(), await own.goodbyes()]).toEqual([1, 1]);

  const kept = await runToEnd(own.store, { ...request, start: { ...start, name: "kept" }, keep: "always" });
  expect(kept.success).toBe(true);
  const run = await own.store.findRun("kept");
  own.clear(run.uid);
  const logins = await own.logins();
  const session = new Session();
  const check = () => statusRun(own.store, run, () => undefined, never, session);
  expect([await check(), await check(), await check()]).toMatchObject(
    Array.from({ length: 3 }, () => ({ healthy: true })),
  );
  expect(await own.logins()).toBe(logins + 1);
  await session.close();
  await eventually("the host sees all of them end", async () => (await own.goodbyes()) === logins + 1);
}, 60_000);
