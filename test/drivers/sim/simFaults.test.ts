/** Every fault of the simulated cloud's calls and of its script, and that chance can be repeated. */
import { expect, test } from "@jest/globals";

import {
  CloudUnreachableError,
  LostReplyError,
  ThrottledError,
  type LaunchOutcome,
} from "../../../src/drivers/contract/driver.js";
import { launched, never, program, scope, simCloud, wish } from "../../support/simCloud.js";

/** What came of a number of calls, one after the other. */
async function results(count: number, call: () => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  for (let time = 0; time < count; time += 1)
    names.push(
      await call().then(
        () => "ok",
        (error: Error) => error.name,
      ),
    );
  return names;
}

test("a throttled call does nothing, one whose reply is lost has done everything, and the repeated call tells it", async () => {
  const { driver } = simCloud({
    script: [
      { call: "launch", nth: 1, fault: "throttle" },
      { call: "launch", nth: 2, fault: "lost-reply" },
      { call: "list", nth: 2, fault: "unreachable" },
    ],
  });
  const request = wish("db");
  await expect(driver.launch([request], never)).rejects.toThrow(ThrottledError);
  expect(await driver.list(scope, never)).toEqual([]);
  await expect(driver.launch([request], never)).rejects.toThrow(LostReplyError);
  await expect(driver.list(scope, never)).rejects.toThrow(CloudUnreachableError);
  const [listed] = await driver.list(scope, never);
  expect(launched((await driver.launch([request], never))[0])).toEqual(listed);
});

test("a lost reply to terminate has destroyed the machine", async () => {
  const { driver, launch, states } = simCloud({ script: [{ call: "terminate", nth: 2, fault: "lost-reply" }] });
  const [first, second] = (await launch("db", "web")).map((outcome) => launched(outcome).id) as [string, string];
  await driver.terminate([first], never);
  await expect(driver.terminate([second], never)).rejects.toThrow(LostReplyError);
  expect(await states(first, second)).toEqual(["terminated", "terminated"]);
});

test("an entry for a service counts the calls about it, replicas by their common name", async () => {
  const { driver } = simCloud({ script: [{ call: "launch", service: "web", nth: 2, fault: "throttle" }] });
  expect(await results(2, () => driver.launch([wish("db")], never))).toEqual(["ok", "ok"]);
  expect(await results(3, () => driver.launch([wish("db"), wish("web-2")], never))).toEqual([
    "ok",
    "ThrottledError",
    "ok",
  ]);
});

test("a limit of calls a second lets a burst through, then as many as the time gives", async () => {
  const { driver, clock } = simCloud({ calls: { limit: 2 } });
  expect(await results(3, () => driver.describe([], never))).toEqual(["ok", "ok", "ThrottledError"]);
  await clock.sleep(500);
  expect(await results(2, () => driver.list(scope, never))).toEqual(["ok", "ThrottledError"]);
  await clock.sleep(60_000);
  expect(await results(3, () => driver.describe([], never))).toEqual(["ok", "ok", "ThrottledError"]);
});

test("calls take their time, and an aborted one ends at once", async () => {
  const { driver, clock } = simCloud({ calls: { latency: "3s" } });
  const before = clock.now();
  await driver.describe([], never);
  expect(clock.now() - before).toBe(3_000);
  const abort = new AbortController();
  const call = driver.terminate(["i-1"], abort.signal);
  abort.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
});

test("throttling and lost replies come as often as the plan's author says", async () => {
  const { driver } = simCloud({ calls: { throttle: 0.2, lost_reply: 0.1 } });
  const names = await results(500, () => driver.list(scope, never));
  const share = (name: string) => names.filter((each) => each === name).length / names.length;
  expect(share("ThrottledError")).toBeGreaterThan(0.14);
  expect(share("ThrottledError")).toBeLessThan(0.26);
  expect(share("LostReplyError")).toBeGreaterThan(0.04);
  expect(share("LostReplyError")).toBeLessThan(0.14);
});

test("refuse, die and invisible happen to the machine that the script means, and to no other", async () => {
  const { driver, clock, launch, states } = simCloud({
    launch: { latency: "40s" },
    script: [
      { call: "launch", service: "a", fault: "refuse" },
      { call: "launch", service: "b", fault: "die" },
      { call: "launch", service: "c", fault: "invisible", for: "5s" },
    ],
  });
  const outcomes = await launch("a", "b", "c", "d");
  expect(outcomes[0]).toMatchObject({
    kind: "failed",
    leftover: null,
    error: { message: "no machine for a: Server.InternalError: the simulated cloud refused the launch" },
  });
  const ids = outcomes.slice(1).map((outcome) => launched(outcome).id);
  expect(await states(...ids)).toEqual(["pending", "unknown", "pending"]);
  await clock.sleep(20_000);
  expect(await states(...ids)).toEqual(["terminated", "pending", "pending"]);
  await clock.sleep(20_000);
  expect(await states(...ids)).toEqual(["terminated", "running", "running"]);
  expect(await launch("a", "b", "c")).toMatchObject([{ kind: "launched" }, { kind: "launched" }, { kind: "launched" }]);
  expect((await driver.list(scope, never)).length).toBe(5);
});

test('a moment of the script comes that long after the launch of the nth machine; "every" is each of them', async () => {
  const { clock, launch, states } = simCloud({
    script: [
      { service: "web-1", at: "40s", fault: "die" },
      { service: "db", at: "10s", nth: "every", fault: "die" },
    ],
  });
  const ids = (await launch("web-1", "web-2", "db")).map((outcome) => launched(outcome).id);
  await clock.sleep(39_999);
  expect(await states(...ids)).toEqual(["running", "running", "terminated"]);
  await clock.sleep(1);
  expect(await states(...ids)).toEqual(["terminated", "running", "terminated"]);
  const again = (await launch("web-1", "db")).map((outcome) => launched(outcome).id);
  await clock.sleep(40_000);
  expect(await states(...again)).toEqual(["running", "terminated"]);
});

const FAULTY = {
  launch: { latency: { p50: "40s", p95: "90s" }, refuse: 0.2 },
  machines: { die: { probability: 0.3, within: "10m" } },
  programs: { boot: { duration: { min: "1s", max: "60s" }, fail: 0.3, exit: 7 } },
};
const SERVICES = Array.from({ length: 40 }, (_, index) => `web-${index + 1}`);

/** How each service fares: what became of its machine, and of its boot program. */
async function fates(
  options: object,
  services: readonly string[],
  inOneCall: boolean,
): Promise<Record<string, unknown>> {
  const cloud = simCloud({ ...FAULTY, ...options });
  const begun = cloud.clock.now();
  const outcomes: LaunchOutcome[] = [];
  if (inOneCall) outcomes.push(...(await cloud.launch(...services)));
  else outcomes.push(...(await Promise.all(services.map((service) => cloud.launch(service)))).flat());
  return Object.fromEntries(
    await Promise.all(
      outcomes.map(async (outcome, index) => {
        const service = services[index] as string;
        if (outcome.kind === "failed") return [service, "refused"] as const;
        const programs = cloud.driver.programRunner?.(outcome.machine.id);
        await cloud.clock.sleep(100_000);
        const result = await programs?.run(program(service, "boot")).catch((error: Error) => error.name);
        return [
          service,
          [typeof result === "string" || result?.kind !== "exited" ? result : result.code, cloud.clock.now() - begun],
        ] as const;
      }),
    ),
  );
}

test("the same seed gives the same fates whatever the order and the grouping of the calls; another seed gives others", async () => {
  const first = await fates({ seed: 7 }, SERVICES, true);
  expect(await fates({ seed: 7 }, [...SERVICES].reverse(), true)).toEqual(first);
  expect(await fates({ seed: 7 }, SERVICES, false)).toEqual(first);
  expect(await fates({ seed: "8" }, SERVICES, true)).not.toEqual(first);
  expect(Object.values(first)).toContain("refused");
});

test("a run of its own meets the script anew, in the same cloud", async () => {
  const { driver } = simCloud({ script: [{ call: "launch", service: "db", fault: "refuse" }] });
  const kinds = async (run: string) =>
    (
      await driver.launch([wish("db", { mark: { installation: "here", run, runName: run, service: "db" } })], never)
    ).map(({ kind }) => kind);
  expect([await kinds("run1"), await kinds("run1"), await kinds("run2"), await kinds("run2")].flat()).toEqual([
    "failed",
    "launched",
    "failed",
    "launched",
  ]);
});
