/** A driver's connections are waited for as long as they may take, and fail with words. */
import { expect, test } from "@jest/globals";

import type { ConnectOptions, Driver } from "../../../src/drivers/contract/driver.js";
import { connectByDriver } from "../../../src/engine/clouds/driverConnection.js";
import {
  ConnectionError,
  isConnectionError,
  type MachineConnection,
} from "../../../src/machines/contract/connection.js";

const access = { kind: "driver", cloud: "c", id: "m-1" } as const;
const never = new AbortController().signal;

function connecting(connect: NonNullable<Driver["connect"]>): Driver {
  const none = async (): Promise<never[]> => [];
  return { launch: none, describe: none, terminate: none, list: none, connect };
}

function connection(): MachineConnection & { readonly closed: () => boolean } {
  let alive = true;
  return {
    label: "m-1",
    workDirectory: "/work",
    get alive() {
      return alive;
    },
    open: () => Promise.reject(new ConnectionError("no channels here")),
    async close() {
      alive = false;
    },
    closed: () => !alive,
  };
}

test("the driver gets back what it told of the machine, and null where it told nothing", async () => {
  const asked: [string, ConnectOptions][] = [];
  const driver = connecting(async (id, options) => {
    asked.push([id, options]);
    return connection();
  });
  await connectByDriver(driver, { ...access, data: { port: 7 } }, { timeoutMs: 5_000, signal: never });
  await connectByDriver(driver, access, { timeoutMs: 4_000, signal: never });
  expect(asked).toMatchObject([
    ["m-1", { data: { port: 7 }, timeoutMs: 5_000 }],
    ["m-1", { data: null, timeoutMs: 4_000 }],
  ]);
});

test("a driver that takes too long is told so and not waited for; a connection that comes later is closed", async () => {
  const late = connection();
  let give: (made: MachineConnection) => void = () => undefined;
  let told = never;
  const driver = connecting((_id, { signal }) => {
    told = signal;
    return new Promise((resolve) => {
      give = resolve;
    });
  });
  await expect(connectByDriver(driver, access, { timeoutMs: 50, signal: never })).rejects.toThrow(
    'machine m-1 of cloud "c" cannot be reached: no answer within 0.05 s',
  );
  expect(told.aborted).toBe(true);
  give(late);
  await new Promise(setImmediate);
  expect(late.closed()).toBe(true);
});

test("whoever wants the connection no more does not wait for it", async () => {
  const life = new AbortController();
  const made = connectByDriver(
    connecting(() => new Promise(() => undefined)),
    access,
    { timeoutMs: 60_000, signal: life.signal },
  );
  life.abort();
  await expect(made).rejects.toThrow(/cannot be reached/);
});

test("a ConnectionError goes through as it is; any other error becomes one, with its words", async () => {
  const own = new ConnectionError("the machine is asleep");
  const limits = { timeoutMs: 1_000, signal: never };
  await expect(
    connectByDriver(
      connecting(() => Promise.reject(own)),
      access,
      limits,
    ),
  ).rejects.toBe(own);
  const other = await connectByDriver(
    connecting(() => Promise.reject(new TypeError("no socket"))),
    access,
    limits,
  ).catch((error: unknown) => error);
  expect(isConnectionError(other)).toBe(true);
  expect((other as Error).message).toBe('machine m-1 of cloud "c" cannot be reached: no socket');
});
