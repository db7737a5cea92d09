import { spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync, writeFileSync, chmodSync } from "node:fs";
import { join } from "node:path";

import Database from "better-sqlite3";
import { expect, test } from "@jest/globals";

import {
  LeaseLostError,
  RunBusyError,
  RunExistsError,
  StateError,
  UnknownRunError,
} from "../../../src/state/contract/errors.js";
import { openStore } from "../../../src/state/openStore.js";
import { exitOf } from "../../support/children.js";
import { plan, service } from "../../support/plans.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const SECRET = "hunter2-🔑-very-secret";
const samplePlan = plan([{ name: "one", services: [service("db"), service("web", { replicas: 3 })] }]);

function newRun(name: string | null = null) {
  return {
    name,
    plan: samplePlan,
    bundles: {},
    variables: [
      { kind: "variable" as const, name: "greeting", secret: false, value: "Hi" },
      { kind: "variable" as const, name: "password", secret: true, value: SECRET },
      { kind: "environment" as const, name: "TOKEN", secret: false, value: `${SECRET}-env` },
    ],
  };
}

test("a run is recorded with its plan, variables and replicas, and found by name and number", async () => {
  const store = await openStore(temporaryDirectory());
  const writer = await store.createRun(newRun("shop"));
  const run = await store.findRun("shop");
  expect(run).toMatchObject({
    name: "shop",
    state: "booting",
    planName: "sample",
    holder: { pid: process.pid, command: "boot", alive: true },
  });
  expect((await store.findRun(String(run.id))).uid).toBe(run.uid);
  expect((await store.plan(run)).plan).toEqual(samplePlan);
  expect(
    (await store.services(run)).map(({ name, level, replica, state }) => ({ name, level, replica, state })),
  ).toEqual([
    { name: "db", level: 0, replica: 1, state: "planned" },
    { name: "web-1", level: 0, replica: 1, state: "planned" },
    { name: "web-2", level: 0, replica: 2, state: "planned" },
    { name: "web-3", level: 0, replica: 3, state: "planned" },
  ]);
  expect((await store.variables(run)).find((variable) => variable.name === "password")).toEqual({
    kind: "variable",
    name: "password",
    secret: true,
    value: SECRET,
  });
  await writer.release();
  await store.close();
});

test("no file of the state holds a secret in clear, and nobody else may read the files", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  const writer = await store.createRun(newRun());
  const [db] = await store.services(await store.findRun(writer.run.name));
  await writer.write({
    kind: "attribute",
    attribute: { serviceId: db?.id ?? 0, name: "token", kind: "output", secret: true, value: SECRET },
  });
  expect(statSync(home).mode & 0o777).toBe(0o700);
  const files = readdirSync(home);
  expect(files).toEqual(expect.arrayContaining(["bootlevel.db", "bootlevel.db-wal", "secret.key"]));
  for (const file of files) {
    expect(readFileSync(join(home, file)).includes(SECRET)).toBe(false);
    expect(statSync(join(home, file)).mode & 0o077).toBe(0);
  }
  await store.close();
  const again = await openStore(home);
  expect((await again.attributes(await again.findRun(writer.run.name)))[0]?.value).toBe(SECRET);
  await again.close();
});

test("a secret cannot be opened with another key, and the error says so", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  await store.createRun(newRun("shop"));
  await store.close();
  writeFileSync(join(home, "secret.key"), `${Buffer.alloc(32, 7).toString("base64")}\n`);
  const again = await openStore(home);
  await expect(again.variables(await again.findRun("shop"))).rejects.toThrow(/encrypted with another key/);
  await again.close();
});

test("a name is taken until its run is terminated; then it means the newest run", async () => {
  const store = await openStore(temporaryDirectory());
  const first = await store.createRun(newRun("shop"));
  await expect(store.createRun(newRun("shop"))).rejects.toThrow(RunExistsError);
  await first.write({ kind: "run", state: "terminated" });
  const second = await store.createRun(newRun("shop"));
  expect((await store.findRun("shop")).uid).toBe(second.run.uid);
  expect((await store.findRun(String(first.run.id))).state).toBe("terminated");
  expect((await store.listRuns({ all: false })).map((run) => run.uid)).toEqual([second.run.uid]);
  expect(await store.listRuns({ all: true })).toHaveLength(2);
  await expect(store.findRun("nobody")).rejects.toThrow(UnknownRunError);
  await store.close();
});

test("a run that a living process works on cannot be taken; one whose process has died can, and then the old holder writes nothing", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  const writer = await store.createRun(newRun("shop"));
  const run = await store.findRun("shop");
  await expect(store.takeRun(run, "terminate")).rejects.toThrow(RunBusyError);
  const dead = spawn(process.execPath, ["-e", "0"]);
  await exitOf("a process that does nothing", dead);
  const db = new Database(join(home, "bootlevel.db"));
  db.prepare("UPDATE leases SET pid = ?").run(dead.pid);
  db.close();
  const successor = await store.takeRun(run, "terminate");
  await expect(writer.write({ kind: "run", state: "ready" })).rejects.toThrow(LeaseLostError);
  await expect(writer.renew()).rejects.toThrow(LeaseLostError);
  await writer.release(); // of no effect: it is the successor's
  await successor.write({ kind: "run", state: "terminated" });
  expect((await store.findRun("shop")).state).toBe("terminated");
  await store.close();
});

test("a pid that was given to another process is no sign of life", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  await store.createRun(newRun("shop"));
  const db = new Database(join(home, "bootlevel.db"));
  db.prepare("UPDATE leases SET process_start = '1'").run(); // our own pid, but the process that wrote this began at another time
  db.close();
  expect((await store.findRun("shop")).holder?.alive).toBe(process.platform !== "linux");
  await store.close();
});

test("a pid of another PID namespace says nothing of a launcher: only its silence does", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  const { run } = await store.createRun(newRun("shop"));
  const db = new Database(join(home, "bootlevel.db"));
  db.prepare("UPDATE leases SET pid = 4000000, pid_space = pid_space || ' elsewhere'").run();
  expect((await store.findRun("shop")).holder?.alive).toBe(true);
  expect((await store.listRuns({ all: true }))[0]?.holder?.alive).toBe(true);
  await expect(store.takeRun(run as never, "boot")).rejects.toThrow(RunBusyError);
  // Under another host name, too: containers have their own, and share the computer.
  db.prepare("UPDATE leases SET host = 'another'").run();
  expect((await store.findRun("shop")).holder?.alive).toBe(true);
  db.prepare("UPDATE leases SET renewed_at = renewed_at - 31000, renewed_uptime = renewed_uptime - 31000").run();
  db.close();
  expect((await store.findRun("shop")).holder?.alive).toBe(false);
  await store.takeRun(run as never, "boot");
  await store.close();
});

test("the event log can be added to and not changed", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  const writer = await store.createRun(newRun("shop"));
  await writer.write({ kind: "event", event: { at: 5, type: "warning", service: "db", message: "look" } });
  expect(await store.events(await store.findRun("shop"))).toEqual([
    { id: 1, at: 5, type: "warning", service: "db", data: { service: "db", message: "look" } },
  ]);
  const db = new Database(join(home, "bootlevel.db"));
  expect(() => db.prepare("UPDATE events SET type = 'x'").run()).toThrow(/append-only/);
  expect(() => db.prepare("DELETE FROM events").run()).toThrow(/append-only/);
  db.close();
  await store.close();
});

test("a wish for a machine is on record before it has an id, and keeps its key", async () => {
  const store = await openStore(temporaryDirectory());
  const writer = await store.createRun(newRun("shop"));
  const run = await store.findRun("shop");
  const [db] = await store.services(run);
  await writer.write({ kind: "launch-intent", serviceId: db?.id ?? 0, cloud: "local", key: "k", generation: 1 });
  await writer.write({ kind: "launch-intent", serviceId: db?.id ?? 0, cloud: "local", key: "k", generation: 1 });
  expect(await store.machines(run)).toMatchObject([{ key: "k", state: "intended", driverId: null }]);
  await writer.write({
    kind: "launched",
    key: "k",
    machine: { driverId: "m-1", host: "127.1.2.3", privateHost: null, hostname: null, access: null },
  });
  expect(await store.machines(run)).toMatchObject([{ key: "k", state: "running", driverId: "m-1", host: "127.1.2.3" }]);
  await writer.write({ kind: "ended", key: "k", reason: "terminated" });
  expect(await store.machines(run)).toMatchObject([{ state: "ended", endReason: "terminated" }]);
  await store.close();
});

test("a damaged database is refused with a remedy, and left as it is", async () => {
  const home = temporaryDirectory();
  writeFileSync(join(home, "bootlevel.db"), "this is no database, but somebody may need it".repeat(100));
  const before = readFileSync(join(home, "bootlevel.db"));
  const error = await openStore(home).then(
    () => null,
    (caught: unknown) => caught as StateError,
  );
  expect(error).toBeInstanceOf(StateError);
  expect(error?.message).toContain(join(home, "bootlevel.db"));
  expect(error?.remedy).toContain("nothing was overwritten");
  expect(readFileSync(join(home, "bootlevel.db")).equals(before)).toBe(true);
});

test("a database of a newer version is refused", async () => {
  const home = temporaryDirectory();
  await (await openStore(home)).close();
  const db = new Database(join(home, "bootlevel.db"));
  db.pragma("user_version = 999");
  db.close();
  await expect(openStore(home)).rejects.toThrow(/newer bootlevel/);
});

test("a home that is a file is refused with a remedy", async () => {
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  await expect(openStore(file)).rejects.toThrow(StateError);
});

test("a home that others could read is closed to them", async () => {
  const home = temporaryDirectory();
  chmodSync(home, 0o755);
  await (await openStore(home)).close();
  expect(statSync(home).mode & 0o777).toBe(0o700);
});

test("two processes that start on a new home at once both find it whole", async () => {
  const home = temporaryDirectory();
  const stores = await Promise.all(Array.from({ length: 5 }, () => openStore(home)));
  const installations = await Promise.all(stores.map((store) => store.installation()));
  expect(new Set(installations).size).toBe(1);
  for (const store of stores) await store.close();
});

test("a run's own ssh key is kept encrypted, the first one stays, and it goes with the run", async () => {
  const home = temporaryDirectory();
  const store = await openStore(home);
  const writer = await store.createRun(newRun());
  const run = await store.findRun(writer.run.name);
  expect(await store.runKey(run)).toBeNull();
  await writer.write({ kind: "run-key", pair: { publicKey: "ssh-ed25519 AAAA", privateKey: SECRET } });
  await writer.write({ kind: "run-key", pair: { publicKey: "ssh-ed25519 BBBB", privateKey: "another" } });
  expect(await store.runKey(run)).toEqual({ publicKey: "ssh-ed25519 AAAA", privateKey: SECRET });
  for (const file of readdirSync(home)) expect(readFileSync(join(home, file)).includes(SECRET)).toBe(false);
  await writer.write({ kind: "run", state: "terminated" });
  expect(await store.runKey(run)).toBeNull();
  await store.close();
});

test("a first contact's stages and a machine's authorized keys are recorded once and for all", async () => {
  const store = await openStore(temporaryDirectory());
  const writer = await store.createRun(newRun());
  const [db] = await store.services(await store.findRun(writer.run.name));
  await writer.write({ kind: "launch-intent", serviceId: db?.id ?? 0, cloud: "c", key: "k.db.1", generation: 1 });
  expect([
    await store.authorized("k.db.1"),
    await store.authorized("nobody"),
    [...(await store.contact("m-1"))],
  ]).toEqual([null, null, []]);
  await writer.write(
    { kind: "authorized", key: "k.db.1", keys: [{ key: "ssh-ed25519 AAAA", label: "the agent" }] },
    { kind: "contact", machine: "m-1", stage: "trusted" },
  );
  await writer.write(
    { kind: "contact", machine: "m-1", stage: "trusted" },
    { kind: "contact", machine: "m-1", stage: "prepared" },
  );
  expect(await store.authorized("k.db.1")).toEqual([{ key: "ssh-ed25519 AAAA", label: "the agent" }]);
  expect([...(await store.contact("m-1"))].sort()).toEqual(["prepared", "trusted"]);
  expect([...(await store.contact("m-2"))]).toEqual([]);
  await store.close();
});
