/** Every call to a cloud is preceded by the proof of the lease, and repeated when it is known to be safe. */
import { expect, test } from "@jest/globals";

import type { Clock } from "../../../src/time/clock.js";
import {
  DriverError,
  LostReplyError,
  ThrottledError,
  type Driver,
  type LaunchRequest,
  type MachineStatus,
} from "../../../src/drivers/contract/driver.js";
import { guardDriver } from "../../../src/engine/clouds/guardedDriver.js";
import type { MachineConnection } from "../../../src/machines/contract/connection.js";
import { LeaseLostError } from "../../../src/state/contract/errors.js";
import { never } from "../../support/drivers.js";
import { random } from "../../support/seed.js";

/** A clock that is as late as the sleeps asked for. */
function countingClock(): Clock & { slept: number[] } {
  let time = 1_000_000;
  const slept: number[] = [];
  return {
    slept,
    now: () => time,
    sleep: async (ms) => {
      slept.push(ms);
      time += ms;
    },
  };
}

const status = (id: string): MachineStatus => ({
  id,
  key: null,
  mark: null,
  state: "running",
  host: null,
  privateHost: null,
  hostname: null,
  access: null,
  reason: "",
});

/** @param asked what happens when machines are asked for; they all run */
function driverThat(asked: (...call: Parameters<Driver["describe"]>) => Promise<unknown>): Driver {
  const nothing = async () => [];
  const describe: Driver["describe"] = async (ids, signal) => {
    await asked(ids, signal);
    return ids.map(status);
  };
  return { launch: nothing, describe, terminate: nothing, list: nothing };
}

function guard(describe: Parameters<typeof driverThat>[0], prove: () => Promise<void> = async () => undefined) {
  const clock = countingClock();
  const points: string[] = [];
  const told: string[] = [];
  const driver = guardDriver(driverThat(describe), {
    cloud: "lab",
    clock,
    prove,
    probe: (point) => points.push(point),
    random,
    warn: (message) => told.push(message),
  });
  return { clock, points, driver, told };
}

test("a launcher that lost its lease calls no cloud", async () => {
  let calls = 0;
  const { driver } = guard(
    async () => {
      calls += 1;
      return [];
    },
    async () => {
      throw new LeaseLostError("gone");
    },
  );
  await expect(driver.describe(["m"], never)).rejects.toThrow(LeaseLostError);
  expect(calls).toBe(0);
});

test("the lease is proved anew before each repetition", async () => {
  let calls = 0;
  const { driver } = guard(
    async () => {
      calls += 1;
      throw new LostReplyError("lost");
    },
    async () => {
      if (calls === 2) throw new LeaseLostError("gone");
    },
  );
  await expect(driver.describe(["m"], never)).rejects.toThrow(LeaseLostError);
  expect(calls).toBe(2);
});

test.each([ThrottledError, LostReplyError])(
  "a call that ends with %p is made again, each time after a longer pause",
  async (Failure) => {
    let calls = 0;
    const { driver, clock } = guard(async () => {
      calls += 1;
      if (calls < 5) throw new Failure("again");
      return [];
    });
    await expect(driver.describe(["m"], never)).resolves.toEqual([status("m")]);
    expect(calls).toBe(5);
    expect(clock.slept).toHaveLength(4);
    for (const [index, ms] of clock.slept.entries()) {
      expect(ms).toBeGreaterThanOrEqual(250 * 2 ** index);
      expect(ms).toBeLessThanOrEqual(500 * 2 ** index);
    }
  },
);

test("a cloud that asks for fewer calls slows all calls to it", async () => {
  let throttled = false;
  const { driver, clock } = guard(async (ids) => {
    if (ids[0] === "first" && !throttled) {
      throttled = true;
      throw new ThrottledError("slow down");
    }
    return [];
  });
  const first = driver.describe(["first"], never);
  await Promise.resolve();
  await driver.describe(["second"], never);
  await first;
  expect(clock.slept.length).toBeGreaterThanOrEqual(1);
});

test("to connect needs no lease and is told to no probe; it keeps to the cloud's pace", async () => {
  const clock = countingClock();
  let calls = 0;
  const connection = { label: "m" } as MachineConnection;
  const connect = async () => {
    calls += 1;
    if (calls < 3) throw new ThrottledError("slow down");
    return connection;
  };
  const driver = guardDriver(
    { ...driverThat(async () => []), connect },
    {
      cloud: "lab",
      clock,
      prove: async () => {
        throw new LeaseLostError("gone");
      },
      probe: (point) => {
        throw new Error(point);
      },
      random,
    },
  );
  expect(await driver.connect?.("m", { data: null, timeoutMs: 1_000, signal: never })).toBe(connection);
  expect([calls, clock.slept.length]).toEqual([3, 2]);
  expect("connect" in guard(async () => []).driver).toBe(false);
});

test("patience ends: the cloud's own words are the error", async () => {
  const { driver, clock } = guard(async () => {
    throw new ThrottledError("RequestLimitExceeded");
  });
  await expect(driver.describe(["m"], never)).rejects.toThrow("RequestLimitExceeded");
  const waited = clock.slept.reduce((sum, ms) => sum + ms, 0);
  expect(waited).toBeGreaterThan(10 * 60_000);
  expect(waited).toBeLessThan(11 * 60_000);
});

test("any other error goes through at once, and nothing is repeated once the operator wants to stop", async () => {
  let calls = 0;
  const { driver } = guard(async () => {
    calls += 1;
    throw new DriverError("no such image");
  });
  await expect(driver.describe(["m"], never)).rejects.toThrow("no such image");
  const stopped = guard(async () => {
    calls += 1;
    throw new ThrottledError("slow");
  });
  await expect(stopped.driver.describe(["m"], AbortSignal.abort())).rejects.toThrow("slow");
  expect(calls).toBe(2);
});

test("each call is told to the probe, before and after", async () => {
  const { driver, points } = guard(async () => []);
  await driver.list({ installation: "here", run: null }, never);
  await driver.terminate([], never);
  expect(points).toEqual(["before lab list", "after lab list", "before lab terminate", "after lab terminate"]);
});

test("a launch that is made later than it was wished for is noted anew, before each such call", async () => {
  const clock = countingClock();
  const did: string[] = [];
  const turnedAway = async (): Promise<never> => {
    did.push(`launch at ${clock.now()}`);
    throw new ThrottledError("slow down");
  };
  const noteAsked = async (keys: readonly string[]) => {
    did.push(`${keys.join()} noted at ${clock.now()}`);
  };
  const driver = guardDriver(
    { ...driverThat(async () => []), launch: async () => (did.length < 5 ? turnedAway() : []) },
    { cloud: "lab", clock, prove: async () => undefined, probe: undefined, noteAsked, random: () => 1 },
  );
  await driver.launch([{ key: "u.web.1" }, { key: "u.web.2" }] as LaunchRequest[], never);
  expect(did).toEqual([
    "launch at 1000000",
    "u.web.1,u.web.2 noted at 1000500",
    "launch at 1000500",
    "u.web.1,u.web.2 noted at 1001500",
    "launch at 1001500",
    "u.web.1,u.web.2 noted at 1003500",
  ]);
});

test("what is waited for is told after a few seconds, then ever more rarely, and the end says that it was given up", async () => {
  const { driver, told, clock } = guard(async () => {
    throw new LostReplyError("DescribeInstances: InternalError");
  });
  const begin = clock.now();
  const error: unknown = await driver.describe(["m-1"], never).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    message: "DescribeInstances: InternalError (given up after 10 minutes)",
    remedy: expect.stringContaining("status page"),
  });
  expect(error).toBeInstanceOf(LostReplyError);
  expect(told[0]).toMatch(
    /^cloud "lab": describe has been tried for \d+ s and goes on: DescribeInstances: InternalError$/,
  );
  expect(told.length).toBeGreaterThan(3);
  expect(told.length).toBeLessThan(9);
  expect(clock.now() - begin).toBeGreaterThan(600_000);
});
