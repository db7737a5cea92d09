/** Launches that the cloud refuses: the command ends at once, asks once, and tells of no machine that never was. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, type Ec2Lab, type FaultSettings } from "../support/ec2Lab.js";
import { refuse } from "../support/moto.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab();
}, 90_000);
afterEach(() => {
  lab.faults.clear();
});
afterAll(async () => lab.close());

test.each<[string, Partial<FaultSettings>, RegExp]>([
  ["a quota", { quota: 0 }, /VcpuLimitExceeded/],
  [
    "missing rights",
    { rule: refuse("RunInstances", "UnauthorizedOperation", "You are not authorized", 403) },
    /UnauthorizedOperation/,
  ],
])(
  "%s: later levels are not asked for, and nothing is looked for that was never launched",
  async (what, faults, words) => {
    const run = what.replace(" ", "-");
    const folder = lab.plan(`plan: refused
${lab.head()}defaults: { cloud: aws }
levels:
  - { name: first, services: { db: {} } }
  - { name: second, services: { web: { replicas: 3, size: m5.xlarge } } }
  - { name: third, services: { cache: {} } }
`);
    lab.faults.set(faults);
    lab.forgetCalls();
    const failed = await lab.call(["boot", folder, "--name", run]);
    expect(failed.code).toBe(1);
    expect(failed.stdout + failed.stderr).toMatch(words);
    expect(failed.stdout + failed.stderr).not.toMatch(/started early|still there/i);
    expect(lab.calls("RunInstances")).toHaveLength(1);
    expect(lab.calls("DescribeInstances").length).toBeLessThan(4);
    expect(await lab.live()).toEqual([]);
    lab.faults.clear();
    expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
  },
);
