/** What a plan may say of an EC2 cloud; the rate of calls; and what errors mean. */
import { expect, test } from "@jest/globals";

import {
  CloudUnreachableError,
  DriverError,
  LostReplyError,
  ThrottledError,
} from "../../../src/drivers/contract/driver.js";
import { explain, RefusedError } from "../../../src/drivers/ec2/errors.js";
import { TokenBuckets, limiterOf } from "../../../src/drivers/shared/tokenBucket.js";
import { never } from "../../support/drivers.js";
import { installation } from "../../support/installation.js";

const plan = (cloud: string, launch = "{}") => `plan: shop
clouds:
  aws: { driver: ec2, ${cloud} }
levels:
  - { name: one, services: { web: { cloud: aws, image: ami-1, size: m7g.large, launch: ${launch}, boot: { command: "true" } } } }
`;

test.each([
  ["", "{}"],
  [
    "region: eu-central-1, profile: ops, endpoint: 'http://127.0.0.1:5000', address: private, allow_ssh_from: [10.0.0.0/8, '2001:db8::1', auto, '${env.PATH}']",
    "{ subnet: [subnet-1a, subnet-2b], security_groups: [sg-1], public_address: true }",
  ],
  [
    "region: eu-central-1, allow_ssh_from: 203.0.113.7",
    "{ zone: eu-central-1a, spot: true, metadata: { tokens: optional }, disks: [{ device: /dev/xvdb, size_gb: '${run.name}' }], tags: { team: shop } }",
  ],
])("a plan that says %j and launch %s is right", async (cloud, launch) => {
  const own = installation();
  expect(await own.call(["validate", own.plan(plan(cloud, launch))])).toMatchObject({ code: 0 });
});

test.each([
  ["regio: eu-central-1", "{}", /3:23: unknown key "regio" in cloud "aws", did you mean "region"/],
  ["region: Frankfurt!", "{}", /"Frankfurt!" is not a region: write for example eu-central-1/],
  ["endpoint: cloud.example.com", "{}", /is not an address: write for example https:/],
  ["address: both", "{}", /address.*public.*private/],
  ["region: eu-1", "{ security_group: sg-1 }", /unknown key "security_group".*did you mean "security_groups"/],
  ["region: eu-1", "{ security_groups: [web] }", /"web" is not an id: write for example sg-/],
  ["region: eu-1", "{ zone: eu-1a, subnet: subnet-1 }", /has zone and subnet: a subnet lies in a zone/],
  ["region: eu-1", "{ sizes: [m5.large] }", /unknown key "sizes"/],
  ["region: eu-1, allow_ssh_from: home", "{}", /"home" is not an address: write for example 203/],
  ["region: eu-1", "{ disks: [{ size_gb: 20 }] }", /device/],
  ["region: eu-1", "{ tags: { 'bootlevel:key': mine } }", /names that begin with bootlevel: or aws: are taken/],
])("a plan that says %j and launch %s is told its mistake", async (cloud, launch, mistake) => {
  const own = installation();
  const { code, stdout, stderr } = await own.call(["validate", own.plan(plan(cloud, launch))]);
  expect(code).not.toBe(0);
  expect(stdout + stderr).toMatch(mistake);
});

test("a bucket lets its fill through at once, then as many a second as come back; all who ask the same place share it", async () => {
  let now = 1_000;
  const naps: number[] = [];
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      naps.push(ms);
    },
  };
  const limiter = limiterOf(clock, "here");
  for (let call = 0; call < 7; call += 1) await limiterOf(clock, "here").take("run", never);
  expect(naps).toEqual([500, 1000]);
  await limiterOf(clock, "elsewhere").take("run", never);
  await limiter.take("describe", never);
  expect(naps).toHaveLength(2);
  now += 10_000;
  await limiter.take("run", never);
  limiter.drain("run");
  await limiter.take("run", never);
  // Its rate is halved by the refusal, and comes back with time.
  expect(naps).toEqual([500, 1000, 1000]);
  now += 10_000;
  await limiter.take("run", never);
  for (let call = 0; call < 5; call += 1) await limiter.take("run", never);
  expect(naps.at(-1)).toBe(500);
});

test("machines of one call cost one token each of their own bucket", async () => {
  let now = 1_000;
  const naps: number[] = [];
  const limiter = new TokenBuckets({
    now: () => now,
    sleep: async (ms: number) => {
      naps.push(ms);
    },
  });
  await limiter.take("launched", never, 990);
  expect(limiter.available("launched")).toBe(10);
  await limiter.take("launched", never, 20);
  expect(naps).toEqual([5_000]);
  expect(limiter.available("launched")).toBe(0);
  now += 15_000;
  expect(limiter.available("launched")).toBe(20);
});

test("who stops waiting gives the place in the queue back", async () => {
  const clock = { now: () => 0, sleep: async (_ms: number, signal?: AbortSignal) => signal?.throwIfAborted() };
  const limiter = new TokenBuckets(clock);
  for (let call = 0; call < 5; call += 1) await limiter.take("run", never);
  for (let time = 0; time < 3; time += 1)
    await expect(limiter.take("run", AbortSignal.abort())).rejects.toThrow(/aborted/);
  const naps: number[] = [];
  clock.sleep = async (ms: number) => {
    naps.push(ms);
  };
  await limiter.take("run", never);
  expect(naps).toEqual([500]);
});

test.each([
  [{ name: "TimeoutError", message: "a request has exceeded the configured 60000 ms requestTimeout." }, LostReplyError],
  [{ name: "TimeoutError", message: "read ECONNRESET", code: "ECONNRESET" }, LostReplyError],
  [
    {
      name: "TimeoutError",
      message:
        "the request socket did not establish a connection with the server within the configured timeout of 10000 ms.",
    },
    CloudUnreachableError,
  ],
  [{ name: "TimeoutError", message: "connect ETIMEDOUT 192.0.2.1:443", code: "ETIMEDOUT" }, CloudUnreachableError],
  [
    { name: "AggregateError", message: "", errors: [{ code: "ECONNREFUSED" }, { code: "ENETUNREACH" }] },
    CloudUnreachableError,
  ],
  [
    { name: "CredentialsProviderError", message: "Could not load credentials from any providers" },
    CloudUnreachableError,
  ],
  [{ name: "Error", message: "socket hang up", code: "ECONNRESET" }, LostReplyError],
  [{ name: "503", message: "Unknown", $metadata: { httpStatusCode: 503 } }, LostReplyError],
  [{ name: "RequestLimitExceeded", message: "slow", $metadata: { httpStatusCode: 503 } }, ThrottledError],
  [{ name: "InsufficientInstanceCapacity", message: "full", $metadata: { httpStatusCode: 500 } }, RefusedError],
  [{ name: "UnauthorizedOperation", message: "no", $metadata: { httpStatusCode: 403 } }, RefusedError],
  [{ name: "TypeError", message: "Invalid URL" }, DriverError],
])("the error %j means what its class says", (error, meaning) => {
  const explained = explain(Object.assign(new Error(error.message), error), "aws", "RunInstances");
  expect(explained.constructor).toBe(meaning);
  expect(explained.message).toContain("RunInstances: ");
});
