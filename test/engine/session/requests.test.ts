/** What is asked of the holder of a run, between real processes: it is heard, done, answered, or known to be too late. */
import { join } from "node:path";
import { readdirSync } from "node:fs";

import { afterEach, expect, test } from "@jest/globals";
import Database from "better-sqlite3";

import { takeFromHolder, type TakeOptions } from "../../../src/engine/session/takeFromHolder.js";
import { loadPlan } from "../../../src/library/plans.js";
import { RunBusyError } from "../../../src/state/contract/errors.js";
import type { RunRequest } from "../../../src/state/contract/requests.js";
import type { Store } from "../../../src/state/contract/store.js";
import { openStore } from "../../../src/state/openStore.js";
import { eventually } from "../../support/eventually.js";
import { startHolder, type Holder } from "../../support/holders.js";
import { installation, type Installation } from "../../support/installation.js";

const stores: Store[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

interface Scene {
  readonly own: Installation;
  readonly holder: Holder;
  readonly store: Store;
}

/** A holder that boots two levels; the program of the first waits for the fact "go". */
async function scene(): Promise<Scene> {
  const own = installation();
  const { facts } = own;
  const folder = own.plan(
    `plan: asked
levels:
  - name: one
    services: { a: { boot: { command: "touch '${facts}/begun'; until test -e '${facts}/go'; do sleep 0.02; done; touch '${facts}/ended'" } } }
  - name: two
    services: { b: { boot: { command: "touch '${facts}/second'" } } }
`,
  );
  const holder = await startHolder(own.home, "r", await loadPlan(folder));
  await eventually("the program runs", () => own.factNames().includes("begun"));
  const store = await openStore(own.home);
  stores.push(store);
  return { own, holder, store };
}

function options(parts: Partial<TakeOptions> = {}): TakeOptions {
  const signal = new AbortController().signal;
  return { origin: "repair (a test)", reason: "the disk is full", waitMs: 20_000, signal, ...parts };
}

/** Puts a request as a version does that knows more kinds. */
function putUnknown({ own }: Scene): void {
  const db = new Database(join(own.home, readdirSync(own.home).find((name) => name.endsWith(".db")) as string));
  db.prepare("INSERT INTO requests (run_id, kind, data, origin, at) VALUES (1, 'dance', '{}', 'a test', 1)").run();
  db.close();
}

async function answered(store: Store, id: number): Promise<RunRequest> {
  let found: RunRequest | null = null;
  await eventually("the request is answered", async () => {
    found = await store.request(id);
    return found !== null && found.answer !== null;
  });
  return found as unknown as RunRequest;
}

test("a holder that is asked stands aside, says so, and starts nothing new: what runs is waited for and recorded", async () => {
  const { own, holder, store } = await scene();
  const run = await store.findRun("r");
  const asked = takeFromHolder(store, run, "repair", options());
  expect(await answered(store, 1)).toMatchObject({ kind: "stand-aside", answer: { status: "accepted" } });
  own.plan("", { go: "" }, "facts");
  const writer = await asked;
  expect(await holder.ended).toEqual({
    state: "StoodAsideError",
    warnings: ["this command releases the run: requested by repair (a test): the disk is full"],
  });
  expect((await store.findRun("r")).holder).toMatchObject({ command: "repair", pid: process.pid, alive: true });
  expect(await store.request(1)).toMatchObject({ withdrawnAt: expect.any(Number) });
  expect((await store.events(run)).filter(({ type }) => type === "warning")).toHaveLength(1);
  expect((await store.steps(run)).filter(({ step }) => step === "boot")).toMatchObject([
    { outcome: "exited", exitCode: 0, endedAt: expect.any(Number) },
  ]);
  expect(own.fact("second")).toBeNull();
  await writer.release();
  expect(await own.call(["boot", "--resume", "r"])).toMatchObject({ code: 0 });
  expect(own.fact("second")).toBe("");
}, 60_000);

test("a holder that dies with an open request is replaced, and nobody obeys the request later", async () => {
  const { own, holder, store } = await scene();
  holder.child.kill("SIGSTOP");
  const run = await store.findRun("r");
  const asked = takeFromHolder(store, run, "repair", options());
  await eventually("it is asked", async () => (await store.openRequests(run)).length === 1);
  holder.child.kill("SIGKILL");
  const writer = await asked;
  expect(await holder.ended).toBeNull();
  expect(await store.request(1)).toMatchObject({ answer: null, withdrawnAt: expect.any(Number) });
  // Put again, for the holder of before, as if the one who asked had died as well.
  const db = new Database(join(own.home, "bootlevel.db"));
  db.prepare("UPDATE requests SET withdrawn_at = NULL").run();
  db.close();
  await writer.release();
  own.plan("", { go: "" }, "facts");
  expect(await own.call(["boot", "--resume", "r"])).toMatchObject({ code: 0 });
  expect(await store.request(1)).toMatchObject({ answer: { status: "too-late" } });
}, 60_000);

test("who does not get the run in time withdraws the request", async () => {
  const { own, holder, store } = await scene();
  holder.child.kill("SIGSTOP");
  const run = await store.findRun("r");
  await expect(takeFromHolder(store, run, "repair", options({ waitMs: 600 }))).rejects.toThrow(RunBusyError);
  expect(await store.openRequests(run)).toEqual([]);
  holder.child.kill("SIGCONT");
  own.plan("", { go: "" }, "facts");
  expect(await holder.ended).toEqual({ state: "ready", warnings: [] });
  expect(await store.request(1)).toMatchObject({ answer: null, withdrawnAt: expect.any(Number) });
}, 60_000);

test("a request of a kind that the holder does not know is answered, and changes nothing", async () => {
  const here = await scene();
  const { own, holder, store } = here;
  putUnknown(here);
  expect(await answered(store, 1)).toMatchObject({
    kind: "dance",
    answer: { status: "not-supported", message: 'this launcher does not support the request "dance"' },
  });
  own.plan("", { go: "" }, "facts");
  expect(await holder.ended).toEqual({ state: "ready", warnings: [] });
}, 60_000);

test("an abort is answered by the holder that hears it, and stays in force until it is taken back", async () => {
  const { holder, store } = await scene();
  const run = await store.findRun("r");
  const ask = (reason: string) =>
    store.putRequest(run, { kind: "abort", data: { reason }, origin: "operator", at: Date.now() });
  const first = await ask("the first");
  expect(first.fresh).toBe(true);
  expect(await ask("the second")).toMatchObject({ fresh: false, request: { id: first.request.id } });
  expect(await answered(store, first.request.id)).toMatchObject({ answer: { status: "accepted" } });
  expect(await holder.ended).toMatchObject({ state: "failed" });
  expect((await store.findRun("r")).abort).toMatchObject({ reason: "the first", origin: "operator" });
  expect(await store.openRequests(run)).toEqual([]);
  expect(await store.cancelAbort(run)).toMatchObject({ reason: "the first" });
  expect(await store.cancelAbort(run)).toBeNull();
  expect((await store.findRun("r")).abort).toBeNull();
  expect((await store.events(run)).map(({ type }) => type)).toEqual(
    expect.arrayContaining(["aborted", "abort-cancelled"]),
  );
  expect((await ask("a third")).fresh).toBe(true);
}, 60_000);
