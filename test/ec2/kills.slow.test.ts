/**
 * Launchers that die at a call to the cloud: before it has an effect, so that it has none or comes late, and after it,
 * so that nobody heard of it. Whatever dies when, the next command finds every machine and makes no second one.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, type Ec2Lab, type Held } from "../support/ec2Lab.js";

/** Every call of each command is taken with BOOTLEVEL_EC2_KILL_EVERY=1: half an hour. */
const EVERY = Number(process.env["BOOTLEVEL_EC2_KILL_EVERY"] ?? 37);
/**
 * For how long the cloud hides new machines, and what the plan says of that: the cloud itself may take a while for a
 * call.
 */
const [HIDDEN_MS, VISIBILITY_S] = [500, 3];
const MACHINES = 5;

/** What becomes of the call at which its launcher dies. */
const ENDS = [
  { end: "is lost", moment: "before", how: "cut" },
  { end: "takes effect when its launcher is dead", moment: "before", how: "go on" },
  { end: "has taken effect", moment: "after", how: "cut" },
] as const;

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab();
}, 90_000);
afterEach(() => {
  lab.holds.clear();
  lab.faults.clear();
});
afterAll(async () => lab.close());

const folders = new Map<boolean, string>();
/** Two levels of machines that run no program: the lab's machines do not answer SSH. */
function plan(heeds: boolean): string {
  const folder =
    folders.get(heeds) ??
    lab.plan(`plan: kill
${lab.head("", `heeds_tokens: ${heeds}, visibility_seconds: ${VISIBILITY_S}`)}defaults: { cloud: aws }
levels:
  - { name: first, services: { db: { replicas: 3, ready: { command: "true", where: launcher } } } }
  - { name: second, services: { web: { replicas: 2, ready: { command: "true", where: launcher } } } }
`);
  folders.set(heeds, folder);
  return folder;
}

/**
 * Starts a command and kills it at its call of this number. @returns what it was about to do, or null if it ended
 * before.
 */
async function killAt(
  words: readonly string[],
  nth: number,
  { moment, how }: (typeof ENDS)[number],
): Promise<string | null> {
  const reached = lab.holds.next(moment, (_call, count) => count === nth);
  const { child, ended } = lab.start(words);
  const held: Held | null = await Promise.race([reached, ended.then(() => null)]);
  if (held === null) return null;
  child.kill("SIGKILL");
  await ended;
  held.end(how);
  return held.call.action;
}

/** How a run is on the cloud. */
async function state(run: string): Promise<{ live: number; keys: number; made: number; groups: number }> {
  const own = (await lab.instances()).filter(({ tags }) => tags["bootlevel:run-name"] === run);
  const live = own.filter((instance) => instance.state !== "terminated");
  const groups = (await lab.inventory.securityGroups()).filter(({ Tags = [] }) =>
    Tags.some(({ Key, Value }) => Key === "bootlevel:run-name" && Value === run),
  );
  return {
    live: live.length,
    keys: new Set(live.map(({ id, tags }) => tags["bootlevel:key"] ?? id)).size,
    made: own.length,
    groups: groups.length,
  };
}

const DOWN = { live: 0, keys: 0, groups: 0 };
let count = 0;

/** Goes through every so many of the cases: a call's number and what becomes of it. */
async function everywhere(
  calls: number,
  one: (run: string, nth: number, end: (typeof ENDS)[number], number: number) => Promise<string | null>,
): Promise<string[]> {
  const cases = Array.from({ length: calls }, (_, index) => ENDS.map((end) => ({ nth: index + 1, end }))).flat();
  const done: string[] = [];
  for (const [index, { nth, end }] of cases.entries()) {
    if ((index + Math.floor(EVERY / 2)) % EVERY !== 0) continue;
    count += 1;
    const action = await one(`k${count}`, nth, end, index);
    if (action !== null) done.push(`${nth} ${action} ${end.end}`);
  }
  return done;
}

/** How many calls a command makes. */
async function callsOf(words: readonly string[]): Promise<number> {
  lab.forgetCalls();
  expect(await lab.call(words)).toMatchObject({ code: 0 });
  return lab.calls().length;
}

test.each([true, false])(
  "a boot whose launcher dies at any call: carried on with, or taken down (tokens heeded: %s)",
  async (heeds) => {
    const settings = { tokens: heeds, hiddenMs: HIDDEN_MS };
    lab.faults.set(settings);
    const folder = plan(heeds);
    const calls = await callsOf(["boot", folder, "--name", `whole-${heeds}`, "--json"]);
    const done = await everywhere(calls, async (run, nth, end, number) => {
      const action = await killAt(["boot", folder, "--name", run], nth, end);
      if (action === null) return null;
      const label = `${run}: killed at call ${nth} (${action}), which ${end.end}`;
      if (number % 2 === 0) {
        expect([label, await lab.json(["boot", "--resume", run])]).toMatchObject([
          label,
          { code: 0, document: { state: "ready" } },
        ]);
        expect([label, await state(run)]).toEqual([
          label,
          { live: MACHINES, keys: MACHINES, made: MACHINES, groups: 1 },
        ]);
      }
      expect([label, await lab.json(["terminate", run])]).toMatchObject([label, { code: 0 }]);
      expect([label, await state(run)]).toMatchObject([label, DOWN]);
      return action;
    });
    expect(done.length).toBeGreaterThan(0);
  },
  3_600_000,
);

test("a terminate whose launcher dies at any call: repeated", async () => {
  lab.faults.set({ tokens: false, hiddenMs: HIDDEN_MS });
  const folder = plan(false);
  const boot = async (run: string) => {
    expect(await lab.call(["boot", folder, "--name", run])).toMatchObject({ code: 0 });
  };
  await boot("whole-down");
  const calls = await callsOf(["terminate", "whole-down"]);
  const done = await everywhere(calls, async (run, nth, end) => {
    await boot(run);
    const action = await killAt(["terminate", run], nth, end);
    if (action === null) return null;
    const label = `${run}: killed at call ${nth} (${action}), which ${end.end}`;
    expect([label, await lab.json(["terminate", run])]).toMatchObject([label, { code: 0 }]);
    expect([label, await state(run)]).toMatchObject([label, { ...DOWN, made: MACHINES }]);
    return action;
  });
  expect(done.length).toBeGreaterThan(0);
}, 3_600_000);
