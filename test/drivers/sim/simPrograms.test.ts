/** Programs on simulated machines: how they end, what they leave, and what another launcher is told. */
import { expect, test } from "@jest/globals";

import type { ProgramRunner } from "../../../src/machines/program/programRunner.js";
import { never, program, simCloud } from "../../support/simCloud.js";

test("a program takes its time, prints, keeps its promises, and tells its result before it returns it", async () => {
  const { clock, machine } = simCloud({ programs: { boot: { duration: "30s", output: "up and away" } } });
  const { programs } = await machine("db", { outputs: { port: 5432 } });
  const before = clock.now();
  const told: unknown[] = [];
  const request = program("db", "boot", {
    promised: ["token", "port"],
    onResult: async (result) => {
      told.push(result);
    },
  });
  const result = await programs.run(request);
  expect(result).toEqual({
    kind: "exited",
    code: 0,
    outputs: new Map([
      ["token", "sim-db-token"],
      ["port", "5432"],
    ]),
  });
  expect(told).toEqual([result]);
  expect(clock.now() - before).toBe(30_000);
  expect(request.text()).toMatch(/^\[simulated\] boot-\d+ on db at 10\.[\d.]+\nup and away\n$/);
});

test("a program fails by chance or by the script, with its exit code and without outputs", async () => {
  const { machine } = simCloud({
    programs: { ready: { fail: 1, exit: 4 } },
    script: [{ service: "db", program: "boot", nth: 2, exit: 3, output: "no disk", duration: "5s" }],
  });
  const { programs } = await machine("db");
  expect(await programs.run(program("db", "ready"))).toMatchObject({ code: 4 });
  expect(await programs.run(program("db", "boot", { promised: ["a"] }))).toMatchObject({ code: 0 });
  const second = program("db", "boot", { promised: ["a"] });
  expect(await programs.run(second)).toEqual({ kind: "exited", code: 3, outputs: new Map() });
  expect(second.text()).toContain("no disk\n");
  expect(await programs.run(program("db", "boot"))).toMatchObject({ code: 0 });
});

test("a program that hangs, or takes longer than it may, is ended at its time limit and stays ended", async () => {
  const { clock, machine } = simCloud({ programs: { boot: { hang: 1 }, ready: { duration: "10s" } } });
  const { programs } = await machine("db");
  const before = clock.now();
  const hanging = program("db", "boot", { timeoutMs: 60_000 });
  expect(await programs.run(hanging)).toEqual({ kind: "timed-out", afterMs: 60_000 });
  expect(clock.now() - before).toBe(60_000);
  expect(await programs.recover(hanging)).toEqual({ kind: "lost", reason: "it was ended" });
  expect(await programs.run(program("db", "ready", { timeoutMs: 9_999 }))).toMatchObject({ kind: "timed-out" });
  expect(await programs.run(program("db", "ready", { timeoutMs: 10_000 }))).toMatchObject({ kind: "exited" });
});

test("an aborted program is ended, and one that was aborted before never starts", async () => {
  const { clock, machine } = simCloud({ programs: { boot: { duration: "1h" } } });
  const { programs } = await machine("db");
  const abort = new AbortController();
  const running = program("db", "boot", { signal: abort.signal });
  const result = programs.run(running);
  await clock.sleep(1_000);
  abort.abort();
  expect(await result).toEqual({ kind: "aborted" });
  const unborn = program("db", "boot", { signal: abort.signal });
  expect(await programs.run(unborn)).toEqual({ kind: "aborted" });
  expect(await programs.recover({ ...unborn, signal: never })).toEqual({ kind: "never-started" });
  expect(await programs.recover({ ...running, signal: never })).toMatchObject({ kind: "lost" });
});

test("a program is lost when its machine dies or is destroyed under it, and nothing starts there any more", async () => {
  const { driver, clock, machine } = simCloud({
    programs: { boot: { duration: "1h" } },
    script: [{ service: "web", at: "40s", fault: "die" }],
  });
  const web = await machine("web");
  const request = program("web", "boot");
  const before = clock.now();
  expect(await web.programs.run(request)).toEqual({
    kind: "lost",
    reason: "InstanceFailure: the simulated machine died",
  });
  expect(clock.now() - before).toBe(40_000);
  await expect(web.programs.run(program("web", "ready"))).rejects.toMatchObject({
    name: "ConnectionError",
    message: expect.stringContaining("the simulated machine died"),
  });
  expect(await web.programs.recover(request)).toMatchObject({ kind: "lost" });
  const db = await machine("db");
  const lost = db.programs.run(program("db", "boot"));
  await clock.sleep(10_000);
  await driver.terminate([db.id], never);
  expect(await lost).toEqual({ kind: "lost", reason: "UserInitiatedShutdown: terminated on request" });
});

test("a machine that does not answer for a while is waited for; one that does not answer for long is an error, or an unknown end", async () => {
  const { clock, machine } = simCloud({
    programs: { boot: { duration: "10s" } },
    script: [
      { service: "web", at: "5s", fault: "unreachable", for: "20s" },
      { service: "db", at: "5s", fault: "unreachable", for: "1h" },
    ],
  });
  const [web, db] = [await machine("web"), await machine("db")];
  const before = clock.now();
  const unknown = db.programs.run(program("db", "boot", { timeoutMs: 60_000 }));
  expect(await web.programs.run(program("web", "boot"))).toMatchObject({ kind: "exited" });
  expect(clock.now() - before).toBe(25_000);
  expect(await unknown).toEqual({ kind: "unknown", reason: "the program could not be ended: it does not answer" });
  await expect(db.programs.reach()).rejects.toMatchObject({
    name: "ConnectionError",
    message: expect.stringMatching(/^db at 10\..* cannot be reached: it does not answer$/),
  });
  expect(await db.programs.recover(program("db", "boot"))).toMatchObject({ kind: "unknown" });
});

test("a directory is used once; one that was asked for before it began never begins", async () => {
  const { machine } = simCloud();
  const { programs } = await machine("db");
  const used = program("db", "boot");
  await programs.run(used);
  await expect(programs.run(used)).rejects.toMatchObject({ name: "StagingError" });
  const asked = program("db", "ready");
  expect(await programs.recover(asked)).toEqual({ kind: "never-started" });
  await expect(programs.run(asked)).rejects.toMatchObject({ name: "StagingError" });
  expect(await programs.recover(asked)).toEqual({ kind: "never-started" });
});

test("another launcher waits for a running program, and is told the result of an ended one until the machine is gone", async () => {
  const { driver, clock, machine, stateDirectory } = simCloud({ programs: { boot: { duration: "60s" } } });
  const { id, programs } = await machine("db");
  const request = program("db", "boot", { promised: ["token"] });
  const first = programs.run(request);
  await clock.sleep(20_000);
  const other = simCloud({}, { stateDirectory, clock }).driver.programRunner?.(id) as ProgramRunner;
  const told: unknown[] = [];
  const onResult = async (result: unknown) => {
    told.push(result);
  };
  const before = clock.now();
  const recovered = await other.recover({ ...request, onResult });
  expect(clock.now() - before).toBe(40_000);
  expect(recovered).toEqual(await first);
  expect(recovered).toEqual({ kind: "exited", code: 0, outputs: new Map([["token", "sim-db-token"]]) });
  expect(await other.recover({ ...request, onResult })).toEqual(recovered);
  expect(told).toEqual([recovered, recovered]);
  await driver.terminate([id], never);
  expect(await other.recover(request)).toEqual({
    kind: "lost",
    reason: "UserInitiatedShutdown: terminated on request",
  });
});

test("recovering gives a running program up at its limit, and ends it when it is aborted", async () => {
  const { clock, machine } = simCloud({ programs: { boot: { hang: 1 } } });
  const { programs } = await machine("db");
  const abort = new AbortController();
  const [first, second] = [
    program("db", "boot", { timeoutMs: 3_600_000 }),
    program("db", "boot", { timeoutMs: 3_600_000 }),
  ];
  const running = [programs.run(first), programs.run(second)];
  await clock.sleep(1_000);
  expect(await programs.recover({ ...first, timeoutMs: 5_000 })).toEqual({ kind: "timed-out", afterMs: 5_000 });
  const recovering = programs.recover({ ...second, signal: abort.signal });
  await clock.sleep(1_000);
  abort.abort();
  expect(await recovering).toEqual({ kind: "aborted" });
  expect(await Promise.all(running)).toMatchObject([{ kind: "lost" }, { kind: "lost" }]);
});

test("a result that could not be written down is told again", async () => {
  const { machine } = simCloud();
  const { programs } = await machine("db");
  const request = program("db", "boot", { onResult: () => Promise.reject(new Error("disk full")) });
  await expect(programs.run(request)).rejects.toThrow("disk full");
  expect(await programs.recover({ ...request, onResult: async () => undefined })).toMatchObject({
    kind: "exited",
    code: 0,
  });
});

test("a guest on another service's machine is simulated by its own name, without the other's launch:", async () => {
  const { machine } = simCloud({ services: { guest: { programs: { boot: { fail: 1, exit: 9 } } } } });
  const { programs } = await machine("db", { programs: { boot: { fail: 1, exit: 2 } } });
  expect(await programs.run(program("db", "boot"))).toMatchObject({ code: 2 });
  expect(await programs.run(program("guest", "boot"))).toMatchObject({ code: 9 });
  expect(await programs.run(program("other", "boot"))).toMatchObject({ code: 0 });
});

test("what no machine could be given is refused here too, before anything is written down", async () => {
  const { machine } = simCloud();
  const { programs } = await machine("db");
  const request = program("db", "boot", { env: { UID: "0" } });
  await expect(programs.run(request)).rejects.toMatchObject({ name: "StagingError" });
  expect(await programs.recover(request)).toEqual({ kind: "never-started" });
});
