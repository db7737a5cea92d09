/** The lab itself: its cloud refuses, hides and forgets as Amazon does, and what it says it does is what happens. */
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import {
  DescribeInstancesCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";

import { IMAGE, openEc2Lab, REGION, type Ec2Lab } from "../support/ec2Lab.js";
import { Buckets } from "../support/ec2Lab/buckets.js";

let lab: Ec2Lab;
let client: EC2Client;
beforeAll(async () => {
  lab = await openEc2Lab();
  client = new EC2Client({
    endpoint: lab.cloud.endpoint,
    region: REGION,
    maxAttempts: 1,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
}, 90_000);
beforeEach(async () => {
  lab.faults.clear();
  const ids = (await lab.live()).map(({ id }) => id);
  if (ids.length > 0) await lab.inventory.change("terminate", ids);
  lab.forgetCalls();
});
afterAll(async () => {
  client.destroy();
  await lab.close();
});

const run = async (change: Partial<RunInstancesCommandInput> = {}): Promise<string[]> => {
  const { Instances } = await client.send(
    new RunInstancesCommand({ ImageId: IMAGE, InstanceType: "m5.large", MinCount: 1, MaxCount: 1, ...change }),
  );
  return (Instances ?? []).map(({ InstanceId }) => InstanceId ?? "");
};
const shown = async (change: object): Promise<(string | undefined)[]> => {
  const { Reservations } = await client.send(new DescribeInstancesCommand(change));
  return (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []).map(({ InstanceId }) => InstanceId);
};
const code = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "none",
    (error: Error) => error.name,
  );

test("buckets have Amazon's sizes and fill at its rates, requests and machines apart", () => {
  let now = 0;
  const buckets = new Buckets(() => now);
  const take = (action: string, words = "") => buckets.take({ action, parameters: new URLSearchParams(words) });
  const granted = (action: string, words = ""): number => {
    let count = 0;
    while (take(action, words)) count += 1;
    return count;
  };
  expect(granted("RunInstances", "MaxCount=1")).toBe(5);
  now += 1000;
  expect(granted("RunInstances", "MaxCount=1")).toBe(2);
  now += 10_000;
  expect([
    take("RunInstances", "MaxCount=1000"),
    take("RunInstances", "MaxCount=994"),
    take("RunInstances", "MaxCount=22"),
  ]).toEqual([true, false, false]);
  expect(granted("DescribeInstances", "Filter.1.Name=x")).toBe(100);
  expect(granted("DescribeInstances")).toBe(50);
  expect(granted("TerminateInstances", "InstanceId.1=i-1")).toBe(100);
  expect(granted("CreateTags")).toBe(100);
  expect(granted("CreateSecurityGroup")).toBe(50);
});

test("an empty bucket refuses the call, and nothing is done", async () => {
  lab.faults.set({ buckets: true });
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => code(run())));
  const refused = outcomes.filter((outcome) => outcome === "RequestLimitExceeded").length;
  expect(refused).toBeGreaterThan(0);
  expect(await lab.live()).toHaveLength(30 - refused);
  expect(lab.calls("RunInstances").filter((call) => call.code === "RequestLimitExceeded")).toHaveLength(refused);
});

test("a token that comes again gives the first machines, with other parameters an error; a failed call uses up no token", async () => {
  lab.faults.set({ capacity: [{ left: 0 }] });
  expect(await code(run({ ClientToken: "one" }))).toBe("InsufficientInstanceCapacity");
  lab.faults.set({ capacity: [] });
  const [first, beside] = await Promise.all([run({ ClientToken: "one" }), run({ ClientToken: "one" })]);
  expect([beside, await run({ ClientToken: "one" })]).toEqual([first, first]);
  expect(await code(run({ ClientToken: "one", InstanceType: "m5.xlarge" }))).toBe("IdempotentParameterMismatch");
  expect(await lab.live()).toHaveLength(1);
  lab.faults.set({ tokens: false });
  expect(await run({ ClientToken: "one" })).not.toEqual(first);
});

test("as many machines as there is room for, in one zone or of one type, and up to the quota", async () => {
  const zone = (name: string): Partial<RunInstancesCommandInput> => ({
    Placement: { AvailabilityZone: `${REGION}${name}` },
  });
  lab.faults.set({
    capacity: [
      { zone: `${REGION}a`, left: 3 },
      { type: "m5.xlarge", left: 0 },
    ],
  });
  expect(await run({ ...zone("a"), MinCount: 1, MaxCount: 5 })).toHaveLength(3);
  expect(await code(run(zone("a")))).toBe("InsufficientInstanceCapacity");
  expect(await run({ ...zone("b"), MinCount: 1, MaxCount: 5 })).toHaveLength(5);
  expect(await code(run({ ...zone("b"), InstanceType: "m5.xlarge" }))).toBe("InsufficientInstanceCapacity");
  lab.faults.set({ capacity: [], quota: 0 });
  expect(await code(run())).toBe("VcpuLimitExceeded");
  expect(await lab.live()).toHaveLength(8);
});

test("young machines are unknown by id and missing in filtered answers until they are shown", async () => {
  const [old] = await run();
  lab.faults.set({ hiddenMs: Infinity });
  const [young] = await run();
  const filter = { Filters: [{ Name: "instance-state-name", Values: ["running", "pending"] }] };
  // The first one was launched by the same cloud: it hides with the other, as long as nobody can tell how old it is.
  expect([
    await shown(filter),
    await code(shown({ InstanceIds: [young] })),
    await code(client.send(new TerminateInstancesCommand({ InstanceIds: [young ?? ""] }))),
  ]).toEqual([[], "InvalidInstanceID.NotFound", "InvalidInstanceID.NotFound"]);
  lab.faults.set({ hiddenMs: 0, pendingMs: Infinity });
  const { Reservations } = await client.send(new DescribeInstancesCommand(filter));
  expect(
    (Reservations ?? [])
      .flatMap(({ Instances }) => Instances ?? [])
      .map(({ State, PublicIpAddress }) => [State?.Name, PublicIpAddress]),
  ).toEqual([
    ["pending", undefined],
    ["pending", undefined],
  ]);
  lab.faults.set({ pendingMs: 0, endingMs: Infinity });
  expect((await shown(filter)).sort()).toEqual([old, young].sort());
  await client.send(new TerminateInstancesCommand({ InstanceIds: [young ?? ""] }));
  const state = async () =>
    (await client.send(new DescribeInstancesCommand({ InstanceIds: [young ?? ""] }))).Reservations?.[0]?.Instances?.[0];
  expect((await state())?.State?.Name).toBe("shutting-down");
  lab.faults.set({ endingMs: 0 });
  expect([(await state())?.State?.Name, (await state())?.PrivateIpAddress]).toEqual(["terminated", undefined]);
});

test("errors and cuts come before or after the effect, the same ones for the same seed", async () => {
  const outcomes = async (): Promise<string[]> => {
    lab.faults.seed(7);
    const all: string[] = [];
    while (all.length < 12) all.push(await code(run()));
    return all;
  };
  lab.faults.set({ throttled: 0.3, failedBefore: 0.3, actions: ["RunInstances"] });
  const first = await outcomes();
  expect(await outcomes()).toEqual(first);
  expect(new Set(first)).toEqual(new Set(["none", "RequestLimitExceeded", "InternalError"]));
  expect(await lab.live()).toHaveLength(2 * first.filter((outcome) => outcome === "none").length);
  const before = (await lab.live()).length;
  lab.faults.set({ throttled: 0, failedBefore: 0, failedAfter: 1 });
  expect(await code(run())).toBe("InternalError");
  lab.faults.set({ failedAfter: 0, lostAfter: 1 });
  expect(await code(run())).not.toBe("none");
  lab.faults.set({ lostAfter: 0, lostBefore: 1 });
  expect(await code(run())).not.toBe("none");
  expect(await lab.live()).toHaveLength(before + 2);
});

test("the command boots a plan whose machines run no program on the lab's cloud and ends it, one question for all machines", async () => {
  const folder = lab.plan(
    `plan: idle\n${lab.head()}defaults: { cloud: aws }\nlevels: [ { name: one, services: { web: { replicas: 3, ready: { command: "true", where: launcher } } } } ]\n`,
  );
  expect(await lab.json(["boot", folder, "--name", "idle"])).toMatchObject({ code: 0, document: { state: "ready" } });
  expect((await lab.live()).map(({ state, tags }) => [state, tags["bootlevel:run-name"]])).toEqual([
    ["running", "idle"],
    ["running", "idle"],
    ["running", "idle"],
  ]);
  expect(await lab.json(["terminate", "idle"])).toMatchObject({ code: 0 });
  expect(await lab.live()).toEqual([]);
});

test("a thousand machines, and what is asked of them, are no trouble", async () => {
  expect(await run({ MinCount: 1, MaxCount: 1000 })).toHaveLength(1000);
  const ids = await shown({ Filters: [{ Name: "instance-state-name", Values: ["running"] }], MaxResults: 1000 });
  expect(ids).toHaveLength(1000);
  expect((await shown({ InstanceIds: ids })).sort()).toEqual(ids.sort());
});
