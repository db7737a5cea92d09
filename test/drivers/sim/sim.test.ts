/** The simulated cloud against the driver contract: machines, their life, and the faults of a launch. */
import { statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { growth } from "../../support/growth.js";
import { START, launched, never, scope, simCloud, simDirectory, wish } from "../../support/simCloud.js";

test("a machine is pending, then running with an address, then terminated with a reason", async () => {
  const { driver, clock } = simCloud({ launch: { latency: "40s" } });
  const first = launched((await driver.launch([wish("db")], never))[0]);
  expect(first).toMatchObject({ state: "pending", host: null, access: null, mark: { service: "db" } });
  await clock.sleep(39_999);
  expect(await driver.describe([first.id], never)).toMatchObject([{ state: "pending" }]);
  await clock.sleep(1);
  expect(await driver.describe([first.id], never)).toMatchObject([
    {
      state: "running",
      hostname: "db",
      host: expect.stringMatching(/^10\./),
      access: { kind: "driver", cloud: "test", id: first.id },
    },
  ]);
  expect(await driver.terminate([first.id], never)).toEqual([{ id: first.id, kind: "terminated" }]);
  expect(await driver.describe([first.id], never)).toMatchObject([
    { state: "terminated", reason: "UserInitiatedShutdown: terminated on request", mark: { service: "db" } },
  ]);
});

test("the same key gives the same machine again, also to a driver that was opened later, and even when it is gone", async () => {
  const { driver, stateDirectory, clock } = simCloud();
  const request = wish("db");
  const first = launched((await driver.launch([request], never))[0]);
  const other = simCloud({}, { stateDirectory, clock });
  expect(launched((await other.driver.launch([request], never))[0])).toEqual(first);
  await driver.terminate([first.id], never);
  expect(launched((await driver.launch([request], never))[0])).toMatchObject({ id: first.id, state: "terminated" });
  expect(await driver.list(scope, never)).toEqual([]);
});

test("list tells of an installation or of one run, and not of what is destroyed or dead", async () => {
  const { driver, clock } = simCloud({ script: [{ service: "dying", at: "10s", fault: "die" }] });
  const mark = { installation: "here", run: "run2", runName: "other", service: "c" };
  const outcomes = await driver.launch(
    [wish("a"), wish("b"), wish("c", { mark }), wish("d", { mark: { ...mark, installation: "there" } }), wish("dying")],
    never,
  );
  await driver.terminate([launched(outcomes[1]).id], never);
  const services = async (run: string | null) =>
    (await driver.list({ installation: "here", run }, never)).map((machine) => machine.mark?.service).sort();
  expect([await services("run1"), await services("run2"), await services(null)]).toEqual([
    ["a", "dying"],
    ["c"],
    ["a", "c", "dying"],
  ]);
  await clock.sleep(10_000);
  expect(await services(null)).toEqual(["a", "c"]);
});

test("terminate can be repeated and takes an unknown machine as gone; describe says that it does not know it", async () => {
  const { driver, launch } = simCloud();
  const { id } = launched((await launch("a"))[0]);
  for (let time = 0; time < 2; time += 1)
    expect(await driver.terminate([id, "i-none"], never)).toEqual([
      { id, kind: "terminated" },
      { id: "i-none", kind: "terminated" },
    ]);
  expect(await driver.describe(["i-none", id], never)).toMatchObject([
    { id: "i-none", state: "unknown" },
    { id, state: "terminated" },
  ]);
});

test("empty lists are answered", async () => {
  const { driver } = simCloud({ calls: { throttle: 0, latency: { mean: "1s" } } });
  expect([await driver.launch([], never), await driver.describe([], never), await driver.terminate([], never)]).toEqual(
    [[], [], []],
  );
});

test("a machine that is younger than the visibility is unknown and not listed, although its launch showed it", async () => {
  const { driver, clock, launch, states } = simCloud({ visibility: "30s" });
  expect(driver.visibilityMs).toBe(30_000);
  const machine = launched((await launch("a"))[0]);
  expect(machine.state).toBe("running");
  expect([await states(machine.id), await driver.list(scope, never)]).toEqual([["unknown"], []]);
  await clock.sleep(30_000);
  expect([await states(machine.id), (await driver.list(scope, never)).length]).toEqual([["running"], 1]);
});

test("more machines than the capacity are refused with the cloud's words and leave nothing; a free place is taken again", async () => {
  const { driver, launch } = simCloud({ launch: { capacity: 2 } });
  const outcomes = await launch("a", "b", "c");
  expect(outcomes).toMatchObject([
    { kind: "launched" },
    { kind: "launched" },
    {
      kind: "failed",
      leftover: null,
      error: {
        message:
          "no machine for c: InsufficientInstanceCapacity: the cloud has a capacity of 2 machines, and all of it is used",
      },
    },
  ]);
  expect(await driver.list(scope, never)).toHaveLength(2);
  await driver.terminate([launched(outcomes[0]).id], never);
  expect(await launch("c")).toMatchObject([{ kind: "launched" }]);
});

test("an aborted launch makes nothing and says so for each request", async () => {
  const { driver } = simCloud({ calls: { latency: "10s" } });
  const abort = new AbortController();
  const call = driver.launch([wish("a"), wish("b")], abort.signal);
  abort.abort();
  expect(await call).toMatchObject([
    { kind: "failed", leftover: null, error: { message: "interrupted" } },
    { kind: "failed", leftover: null },
  ]);
  expect(await driver.list(scope, never)).toEqual([]);
});

test("the file is its owner's only, lies in the state directory under the cloud's name, and may have a name of its own", async () => {
  const { launch, stateDirectory } = simCloud();
  await launch("a");
  for (const file of ["test.db", "test.db-wal"]) expect(statSync(join(stateDirectory, file)).mode & 0o777).toBe(0o600);
  const elsewhere = join(simDirectory(), "deep", "cloud.db");
  await simCloud({ file: elsewhere }, { stateDirectory }).launch("a");
  expect(statSync(elsewhere).mode & 0o777).toBe(0o600);
});

test("machines die by chance at a moment within their time, and say why", async () => {
  const { driver, clock, launch } = simCloud({ machines: { die: { probability: 0.5, within: "1h" } } });
  const ids = (await launch(...Array.from({ length: 200 }, (_, index) => `web-${index + 1}`))).map(
    (outcome) => launched(outcome).id,
  );
  const dead = async () => (await driver.describe(ids, never)).filter(({ state }) => state === "terminated");
  expect(await dead()).toEqual([]);
  await clock.sleep(1_800_000);
  const half = (await dead()).length;
  await clock.sleep(1_800_000);
  const all = await dead();
  expect(all.length).toBeGreaterThan(70);
  expect(all.length).toBeLessThan(130);
  expect(half).toBeGreaterThan(all.length / 4);
  expect(half).toBeLessThan((all.length * 3) / 4);
  expect(all[0]?.reason).toBe("InstanceFailure: the simulated machine died");
});

test("what holds for a service: its launch:, then the cloud's services by its name, then those of all replicas, then the cloud", async () => {
  const { driver, clock, states } = simCloud({
    launch: { latency: "10s" },
    services: { web: { latency: "20s" }, "web-2": { latency: "30s" } },
  });
  const requests = [wish("db"), wish("web-1"), wish("web-2"), wish("web-2", { launch: { latency: "5s" } })];
  const ids = (await driver.launch(requests, never)).map((outcome) => launched(outcome).id);
  const running = async () => (await states(...ids)).map((state) => state === "running");
  await clock.sleep(5_000);
  expect(await running()).toEqual([false, false, false, true]);
  await clock.sleep(5_000);
  expect(await running()).toEqual([true, false, false, true]);
  await clock.sleep(10_000);
  expect(await running()).toEqual([true, true, false, true]);
  await clock.sleep(10_000);
  expect(await running()).toEqual([true, true, true, true]);
});

test("a launch: whose references gave nonsense fails that machine only", async () => {
  const { driver } = simCloud();
  expect(await driver.launch([wish("a", { launch: { refuse: "often" } }), wish("b")], never)).toMatchObject([
    { kind: "failed", error: { message: 'no machine for a: refuse: "often" is not a number from 0 to 1' } },
    { kind: "launched" },
  ]);
  expect(() => simCloud({ visibility: "soon" })).toThrow('visibility: "soon" is not a duration');
});

test("ten thousand machines are launched, described and listed in one call each, with addresses of their own", async () => {
  const { driver, clock } = simCloud({
    launch: { latency: { p50: "40s", p95: "90s" } },
    machines: { die: { probability: 0.01, within: "1h" } },
  });
  const requests = Array.from({ length: 10_000 }, (_, index) => wish(`web-${index + 1}`));
  const ids = (await driver.launch(requests, never)).map((outcome) => launched(outcome).id);
  await clock.sleep(3_600_000);
  const machines = await driver.describe(ids, never);
  expect(await driver.list(scope, never)).toHaveLength(machines.filter(({ state }) => state === "running").length);
  const hosts = machines.flatMap(({ host }) => host ?? []);
  expect(new Set(hosts).size).toBe(hosts.length);
  expect(hosts.length).toBeGreaterThan(9_800);
  expect(clock.now()).toBe(START + 3_600_000);
});

test("what machines cost grows no faster than their number", async () => {
  const whole = async (count: number) => {
    const { driver } = simCloud({ machines: { die: { probability: 0.01, within: "1h" } } });
    const ids = (
      await driver.launch(
        Array.from({ length: count }, (_, index) => wish(`web-${index + 1}`)),
        never,
      )
    ).map((outcome) => launched(outcome).id);
    await driver.describe(ids, never);
    await driver.list(scope, never);
  };
  expect(await growth(whole, 200)).toBeLessThan(4);
});
