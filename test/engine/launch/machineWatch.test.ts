/** One question a cloud for all machines that are waited for, the less often the longer it takes. */
import { expect, test } from "@jest/globals";

import { DriverError, type Driver, type MachineStatus } from "../../../src/drivers/contract/driver.js";
import { MachineWatch } from "../../../src/engine/launch/machineWatch.js";
import { VirtualClock } from "../../../src/time/virtualClock.js";
import { never, START } from "../../support/simCloud.js";

/** Machines that are up so many seconds after the start. */
function cloud(
  readyAt: Readonly<Record<string, number>>,
  fails: (second: number) => boolean = () => false,
  answerMs = 0,
) {
  const clock = new VirtualClock(START);
  const asked: { at: number; ids: readonly string[] }[] = [];
  const second = () => (clock.now() - START) / 1_000;
  const status = (id: string): MachineStatus => {
    const up = second() >= (readyAt[id] ?? Infinity);
    return {
      id,
      key: null,
      mark: null,
      state: up ? "running" : "pending",
      host: up ? "h" : null,
      privateHost: null,
      hostname: null,
      access: up ? { kind: "driver", cloud: "c", id } : null,
      reason: "",
    };
  };
  const describe = async (ids: readonly string[]): Promise<MachineStatus[]> => {
    asked.push({ at: second(), ids });
    if (answerMs > 0) await clock.sleep(answerMs);
    if (fails(second())) throw new DriverError("no answer");
    return ids.map(status);
  };
  const watch = new MachineWatch({ describe } as Partial<Driver> as Driver, clock, never);
  return {
    clock,
    asked,
    second,
    reach: async (id: string) => watch.reachable(status(id), clock.now(), async () => undefined),
    forget: (id: string) => {
      watch.forget(id);
    },
  };
}

test("pauses are a fiftieth of the wait, from 1 s to 10 s", async () => {
  const { asked, second, reach } = cloud({ a: 700 });
  await reach("a");
  const times = asked.map(({ at }) => at);
  const pauses = times.map((at, index) => Math.round((at - (times[index - 1] ?? 0)) * 1_000) / 1_000);
  expect(pauses.slice(0, 3)).toEqual([1, 1, 1]);
  expect(pauses).toEqual([...pauses].sort((one, other) => one - other));
  expect(Math.max(...pauses)).toBe(10);
  expect(second()).toBeLessThanOrEqual(710);
  expect(times.length).toBeLessThan(200);
});

test("a cloud that takes long to answer is asked less often", async () => {
  const { clock, asked, reach } = cloud({ a: 30 }, () => false, 800);
  await reach("a");
  expect(clock.now()).toBeLessThan(START + 40_000);
  expect((asked[1]?.at ?? 0) - (asked[0]?.at ?? 0)).toBeCloseTo(0.8 + 8);
});

test("a machine that joins is asked for within a second, with all others in one question", async () => {
  const { clock, asked, second, reach } = cloud({ a: 60, b: 40.5 });
  const a = reach("a");
  await clock.sleep(40_200);
  await reach("b");
  expect(second()).toBeLessThanOrEqual(41.3);
  expect(asked.at(-1)?.ids).toEqual(["a", "b"]);
  await a;
});

test("the last of many is waited for a fiftieth longer than it takes at most, whatever the others do", async () => {
  const { asked, second, reach } = cloud({ a: 50, b: 55, c: 56.5 });
  await Promise.all([reach("a"), reach("b"), reach("c")]);
  expect(second()).toBeLessThanOrEqual(56.5 * 1.02 + 1);
  expect(asked.at(-1)?.ids).toEqual(["c"]);
});

test("who is forgotten is told so, and asked for no more", async () => {
  const { clock, asked, reach, forget } = cloud({});
  const waiting = reach("a");
  await clock.sleep(500);
  forget("a");
  await expect(waiting).rejects.toMatchObject({ name: "InterruptedError" });
  await clock.sleep(60_000);
  expect(asked).toEqual([]);
});

test("a silent cloud is asked on for two minutes, then everybody is told", async () => {
  const { second, reach } = cloud({ a: 5 }, () => true);
  await expect(reach("a")).rejects.toThrow("no answer");
  expect(second()).toBeGreaterThanOrEqual(120);
  expect(second()).toBeLessThan(131);
});
