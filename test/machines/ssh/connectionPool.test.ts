import { expect, test } from "@jest/globals";
import type { Channel } from "../../../src/machines/contract/connection.js";
import { connectionPool } from "../../../src/machines/ssh/connectionPool.js";
import type { SshConnection } from "../../../src/machines/ssh/sshChannels.js";
import { until } from "../../support/eventually.js";

/** A connection with two places; each channel's `stdin` is its number, and it is open until `free`. */
function fake(): SshConnection & { readonly opened: number; free(): void; lose(): void } {
  const waiting: (() => void)[] = [];
  let [channels, opened, alive] = [0, 0, true];
  return {
    label: "m",
    workDirectory: "w",
    get alive() {
      return alive;
    },
    get channels() {
      return channels;
    },
    get opened() {
      return opened;
    },
    get isFree() {
      return channels < 2;
    },
    isFreeForUrgent: true,
    async open(_command, options) {
      if (options?.urgent !== true) {
        channels += 1;
        if (channels > 2)
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
          });
      }
      opened += 1;
      return {} as Channel;
    },
    free() {
      channels -= 1;
      waiting.shift()?.();
    },
    lose() {
      alive = false;
    },
    interact: () => Promise.reject(new Error("nobody sits in front of it")),
    async close() {
      alive = false;
    },
  };
}

function family(refusedFrom = Infinity) {
  const all = [fake()];
  const refusals: unknown[] = [];
  const machine = connectionPool(
    all[0] as SshConnection,
    async () => {
      if (all.length >= refusedFrom) throw new Error("no more");
      all.push(fake());
      return all[all.length - 1] as SshConnection;
    },
    (error) => {
      refusals.push(error);
    },
  );
  return { all, machine, refusals };
}

test("connections are made when all channels are taken, and no more of them than that takes", async () => {
  const { all, machine } = family();
  await Promise.all([1, 2].map(() => machine.open("x")));
  expect(all.map(({ opened }) => opened)).toEqual([2]);
  await Promise.all([1, 2, 3, 4, 5].map(() => machine.open("x")));
  expect(all.map(({ opened }) => opened)).toEqual([2, 2, 2, 1]);
});

test("a machine that wants no more is told of once, and channels are waited for", async () => {
  const { all, machine, refusals } = family(1);
  const opening = [1, 2, 3, 4].map(() => machine.open("x"));
  await until(() => refusals.length === 1 && all[0]?.channels === 4);
  await machine.open("kill", { urgent: true });
  expect(all[0]?.opened).toBe(3);
  all[0]?.free();
  all[0]?.free();
  await Promise.all(opening);
  expect(refusals.length).toBe(1);
});

test("one that breaks loses its own channels, and the machine is lost when all are", async () => {
  const { all, machine } = family();
  await Promise.all([1, 2, 3, 4].map(() => machine.open("x")));
  all[0]?.lose();
  expect(machine.alive).toBe(true);
  await machine.open("x");
  expect(all.map(({ opened }) => opened)).toEqual([2, 2, 1]);
  for (const connection of all) connection.lose();
  expect(machine.alive).toBe(false);
});

test("closing closes all, the one that is just being made too", async () => {
  const first = fake();
  const late = fake();
  let made: (connection: SshConnection) => void = () => undefined;
  const machine = connectionPool(
    first,
    () =>
      new Promise((resolve) => {
        made = resolve;
      }),
    () => undefined,
  );
  await Promise.all([1, 2].map(() => machine.open("x")));
  const third = machine.open("x").catch((error: unknown) => error);
  const closing = machine.close();
  made(late);
  await closing;
  expect(await third).toMatchObject({ name: "ConnectionLostError" });
  expect([first.alive, late.alive, machine.alive]).toEqual([false, false, false]);
});
