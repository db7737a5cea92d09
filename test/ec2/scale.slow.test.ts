/**
 * Levels of hundreds of machines at a cloud that keeps to Amazon's published rates: few calls for many machines, and
 * none that is turned away.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, type Ec2Lab } from "../support/ec2Lab.js";

/** More with BOOTLEVEL_SCALE=1000. */
const COUNT = Number(process.env["BOOTLEVEL_SCALE"] ?? 200);

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab({
    faults: { buckets: true, tokens: false, hiddenMs: 1_000, pendingMs: 3_000, endingMs: 2_000 },
  });
}, 90_000);
afterAll(async () => lab.close());

/** How often each call was made in a command. */
async function callsIn(words: readonly string[]): Promise<Record<string, number>> {
  lab.forgetCalls();
  const startedAt = performance.now();
  const ended = await lab.json(words);
  const counts: Record<string, number> = {};
  for (const { action, code } of lab.calls()) {
    counts[action] = (counts[action] ?? 0) + 1;
    if (code !== null) counts[code] = (counts[code] ?? 0) + 1;
  }
  if (COUNT > 200) console.log(words[0], Math.round(performance.now() - startedAt), "ms", counts);
  expect(ended).toMatchObject({ code: 0 });
  return counts;
}

test(`${COUNT} machines of a level are launched, looked at and ended by few calls`, async () => {
  const folder = lab.plan(
    `plan: big\n${lab.head()}defaults: { cloud: aws }\nlevels: [ { name: one, services: { web: { replicas: ${COUNT}, ready: { command: "true", where: launcher } } } } ]\n`,
  );
  const boot = await callsIn(["boot", folder, "--name", "big"]);
  const live = await lab.live();
  expect(live).toHaveLength(COUNT);
  expect(new Set(live.map(({ tags }) => tags["bootlevel:key"])).size).toBe(COUNT);
  expect(boot["RunInstances"]).toBeLessThanOrEqual(Math.ceil(COUNT / 500) + 1);
  expect(boot["RequestLimitExceeded"] ?? 0).toBeLessThanOrEqual(2);

  const status = await callsIn(["status", "big"]);
  expect(Object.keys(status)).toEqual(["DescribeInstances"]);
  expect(status["DescribeInstances"]).toBeLessThanOrEqual(Math.ceil(COUNT / 1000) + 1);

  const down = await callsIn(["terminate", "big"]);
  expect(await lab.live()).toEqual([]);
  expect(down["TerminateInstances"]).toBeLessThanOrEqual(Math.ceil(COUNT / 500) + 1);
  expect(down["RequestLimitExceeded"] ?? 0).toBe(0);
}, 1_200_000);
