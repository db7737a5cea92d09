/** Time that jumps: in order, only when nothing else is going on, and without leaving anything behind. */
import { getEventListeners, setMaxListeners } from "node:events";

import { expect, test } from "@jest/globals";

import { VirtualClock } from "../../src/time/virtualClock.js";

const START = Date.UTC(2030, 0, 1);

async function wakings(clock: VirtualClock, naps: readonly number[]): Promise<string[]> {
  const woken: string[] = [];
  await Promise.all(
    naps.map(async (ms, index) => {
      await clock.sleep(ms);
      woken.push(`${index}@${clock.now() - START}`);
    }),
  );
  return woken;
}

test("sleepers wake in the order of their moments, those of one moment in the order in which they fell asleep", async () => {
  expect(await wakings(new VirtualClock(START), [50, 10, 50, 0, 10])).toEqual(["3@0", "1@10", "4@10", "0@50", "2@50"]);
});

test("a day passes without a wait, and who falls asleep on waking wakes at the sum", async () => {
  const clock = new VirtualClock(START);
  for (let hour = 0; hour < 24; hour += 1) await clock.sleep(3_600_000);
  expect(clock.now() - START).toBe(24 * 3_600_000);
});

test("while somebody holds it, time stands; it goes on when the last one lets go", async () => {
  const clock = new VirtualClock(START);
  const [first, second] = [clock.hold(), clock.hold()];
  let asleep = true;
  const sleeping = clock.sleep(10).then(() => {
    asleep = false;
  });
  const turns = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  };
  await turns();
  first();
  first();
  await turns();
  expect([asleep, clock.now()]).toEqual([true, START]);
  second();
  await sleeping;
  expect(clock.now()).toBe(START + 10);
});

test("an aborted sleep rejects as Node's own does, and its moment is not waited for", async () => {
  const clock = new VirtualClock(START);
  const abort = new AbortController();
  const long = clock.sleep(1_000_000, abort.signal);
  const ended = expect(long).rejects.toMatchObject({ name: "AbortError", code: "ABORT_ERR", cause: "enough" });
  await clock.sleep(10);
  abort.abort("enough");
  await ended;
  await clock.sleep(10);
  expect(clock.now()).toBe(START + 20);
  await expect(clock.sleep(10, abort.signal)).rejects.toMatchObject({ name: "AbortError" });
});

test("ten thousand sleep at once, and a hundred thousand in turn leave no listener behind", async () => {
  const clock = new VirtualClock(START);
  const woken = await wakings(
    clock,
    Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 10_007),
  );
  const moments = woken.map((line) => Number(line.split("@")[1]));
  expect(moments).toEqual([...moments].sort((a, b) => a - b));
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  for (let round = 0; round < 100; round += 1)
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => clock.sleep(index % 3, signal)));
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("aborted sleepers are not kept until their moment would have come", async () => {
  const clock = new VirtualClock(START);
  const heap = (clock as unknown as { sleepers: { size: number } }).sleepers;
  const forever = new AbortController();
  const kept = clock.sleep(10_000, forever.signal);
  for (let round = 0; round < 1_000; round += 1) {
    const abort = new AbortController();
    const sleeping = clock.sleep(1_000_000, abort.signal);
    abort.abort();
    await expect(sleeping).rejects.toThrow("aborted");
  }
  expect(heap.size).toBeLessThan(10);
  await kept;
});
