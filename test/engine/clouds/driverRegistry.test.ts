/** Who may use a driver together, and when it is closed. */
import { expect, test } from "@jest/globals";

import type { Driver } from "../../../src/drivers/contract/driver.js";
import { DriverRegistry, type DriverUser } from "../../../src/engine/clouds/driverRegistry.js";

const stop = new AbortController().signal;
const lease = {};

function made() {
  const users: DriverUser[] = [];
  const closed: number[] = [];
  const make = async (user: DriverUser): Promise<Driver> => {
    const index = users.push(user) - 1;
    return {
      launch: async () => [],
      describe: async () => [],
      terminate: async () => [],
      list: async () => [],
      close: async () => {
        closed.push(index);
      },
    };
  };
  return { users, closed, make };
}

const user = (name: string, words: string[] = []): DriverUser => ({
  warn: (message) => words.push(`${name}: ${message}`),
  permit: () => {
    words.push(`${name} permits`);
  },
});

test("whoever would make the same driver by the same lease shares it, and the last one closes it", async () => {
  const registry = new DriverRegistry();
  const { users, closed, make } = made();
  const words: string[] = [];
  const one = registry.take({ settings: "s", authority: lease }, user("one", words), make);
  const other = registry.take({ settings: "s", authority: lease }, user("other", words), make);
  expect(await one.driver).toBe(await other.driver);
  users[0]?.permit();
  await one.release(stop);
  await one.release(stop);
  users[0]?.warn("slow");
  expect([words, closed]).toEqual([["one permits", "other: slow"], []]);
  await other.release(stop);
  expect(closed).toEqual([0]);
  expect(await registry.take({ settings: "s", authority: lease }, user("new"), make).driver).not.toBe(await one.driver);
});

test.each([
  { what: "another lease", key: { settings: "s", authority: {} } },
  { what: "no lease", key: { settings: "s", authority: null } },
  { what: "other settings", key: { settings: "t", authority: lease } },
])("$what means another driver", async ({ key }) => {
  const registry = new DriverRegistry();
  const { make } = made();
  const one = registry.take({ settings: "s", authority: lease }, user("one"), make);
  expect(await registry.take(key, user("other"), make).driver).not.toBe(await one.driver);
});

test("a driver that cannot be made is made anew for whoever asks next", async () => {
  const registry = new DriverRegistry();
  const key = { settings: "s", authority: null };
  await expect(registry.take(key, user("one"), async () => Promise.reject(new Error("no"))).driver).rejects.toThrow(
    "no",
  );
  const { make } = made();
  expect(await registry.take(key, user("other"), make).driver).toHaveProperty("launch");
});
