/** The EC2 driver when calls are refused, answers are lost and zones are full. */
import { expect, test } from "@jest/globals";

import { CloudUnreachableError, LostReplyError, ThrottledError } from "../../src/drivers/driver.js";
import { never } from "../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../support/ec2.js";
import { callsOf, hastyClock, type Rule } from "../support/moto.js";

const { cloud, driver } = useCloud();

const refuse = (action: string, code: string, message: string, status = 400, which: (nth: number) => boolean = () => true): Rule =>
  (asked, _parameters, nth) => (asked === action && which(nth) ? { status, code, message } : null);
const cut = (action: string, how: "cut-before" | "cut-after", which: (nth: number) => boolean): Rule => (asked, _parameters, nth) => (asked === action && which(nth) ? how : null);
const live = async (run: string) => (await driver().list({ installation: "here", run }, never)).map(({ key }) => key).sort();

test.each(["cut-before", "cut-after"] as const)("an answer that is lost (%s) gives no second machine when the launch is repeated", async (how) => {
  const [run, own] = [newRun(), driver()];
  const wishes = ["a", "b", "c", "d"].map((service) => wish(run, service));
  cloud().setRule(cut("RunInstances", how, (nth) => nth === 2));
  await expect(own.launch(wishes, never)).rejects.toThrow(LostReplyError);
  expect(machinesOf(await own.launch(wishes, never)).map(({ key }) => key)).toEqual(wishes.map(({ key }) => key));
  expect(await live(run)).toEqual(wishes.map(({ key }) => key));
});

test("another launcher, after one that died with lost answers, finds what was made", async () => {
  const run = newRun();
  const wishes = ["a", "b", "c"].map((service) => wish(run, service));
  cloud().setRule(cut("RunInstances", "cut-after", () => true));
  await expect(driver().launch(wishes, never)).rejects.toThrow(LostReplyError);
  cloud().setRule(null);
  machinesOf(await driver().launch(wishes, never));
  expect(await live(run)).toEqual(wishes.map(({ key }) => key));
});

test("the token of a wish is the same in every repetition, and another one in another place", async () => {
  const [run, own] = [newRun(), driver()];
  const request = wish(run, "web", { launch: { zone: ["eu-central-1a", "eu-central-1b"] } });
  cloud().setRule((action, parameters, nth) => {
    if (action !== "RunInstances") return null;
    if (parameters.get("Placement.AvailabilityZone") === "eu-central-1a") return { status: 500, code: "InsufficientInstanceCapacity", message: "full" };
    return nth === 2 ? "cut-before" : null;
  });
  await expect(own.launch([request], never)).rejects.toThrow(LostReplyError);
  machinesOf(await own.launch([request], never));
  const calls = callsOf(cloud(), "RunInstances").map((call) => [call.get("Placement.AvailabilityZone"), call.get("ClientToken")]);
  // The zone whose answer was lost is asked again, not the first one: it may have capacity by now.
  expect(calls.map(([zone]) => zone)).toEqual(["eu-central-1a", "eu-central-1b", "eu-central-1b"]);
  expect(calls[1]?.[1]).toBe(calls[2]?.[1]);
  expect(calls[0]?.[1]).not.toBe(calls[1]?.[1]);
});

test("a lost answer before an interruption leaves a doubt, which the outcome tells", async () => {
  const [run, own, abort] = [newRun(), driver(), new AbortController()];
  cloud().setRule((action) => {
    if (action !== "RunInstances") return null;
    abort.abort();
    return "cut-after";
  });
  expect(await own.launch([wish(run, "a")], abort.signal)).toMatchObject([{ kind: "failed", leftover: expect.stringContaining("may exist") }]);
  expect(await live(run)).toEqual([`${run}.a.1`]);
});

test("a cloud that asks for fewer calls: the launch is repeated, and keeps what it got before", async () => {
  const [run, own] = [newRun(), driver()];
  const wishes = Array.from({ length: 12 }, (_, index) => wish(run, `w${index}`));
  cloud().setRule(refuse("RunInstances", "RequestLimitExceeded", "Request limit exceeded.", 503, (nth) => nth === 5));
  await expect(own.launch(wishes, never)).rejects.toThrow(ThrottledError);
  const before = callsOf(cloud(), "RunInstances").length;
  expect(before).toBeLessThanOrEqual(12);
  machinesOf(await own.launch(wishes, never));
  expect(callsOf(cloud(), "RunInstances")).toHaveLength(13);
  expect(await live(run)).toHaveLength(12);
});

test.each(["describe", "list", "terminate"] as const)("%s tells throttling, lost answers and errors of the server apart from refusals", async (verb) => {
  const own = driver();
  const call = () => (verb === "list" ? own.list({ installation: "here", run: "x" }, never) : own[verb](["i-0123456789abcdef0"], never));
  const action = verb === "terminate" ? "TerminateInstances" : "DescribeInstances";
  for (const [rule, kind] of [
    [refuse(action, "RequestLimitExceeded", "slow", 503), ThrottledError], [refuse(action, "Throttling", "slow"), ThrottledError],
    [refuse(action, "InternalError", "oops", 500), LostReplyError], [refuse(action, "Unavailable", "later", 503), LostReplyError], [cut(action, "cut-after", () => true), LostReplyError],
    [refuse(action, "AuthFailure", "who are you", 401), CloudUnreachableError],
  ] as const) {
    cloud().setRule(rule);
    await expect(call()).rejects.toThrow(kind);
  }
  expect(callsOf(cloud(), action)).toHaveLength(1); // the SDK repeats nothing by itself
});

test("a zone without capacity: the next zone, then the next size, in order; with none left the failure names all", async () => {
  const [run, own] = [newRun(), driver()];
  const change = { launch: { zone: ["eu-central-1a", "eu-central-1b"] }, fallbackSizes: ["m5a.large"] };
  const full = (isFull: (place: string) => boolean): Rule => (action, parameters) => {
    const place = `${parameters.get("InstanceType")} ${parameters.get("Placement.AvailabilityZone")}`;
    return action === "RunInstances" && isFull(place) ? { status: 500, code: "InsufficientInstanceCapacity", message: "We currently do not have sufficient capacity" } : null;
  };
  cloud().setRule(full((place) => place !== "m5a.large eu-central-1b"));
  machinesOf(await own.launch([wish(run, "web", change)], never));
  expect(callsOf(cloud(), "RunInstances").map((call) => `${call.get("InstanceType")} ${call.get("Placement.AvailabilityZone")}`)).toEqual(["m5.large eu-central-1a", "m5.large eu-central-1b", "m5a.large eu-central-1a", "m5a.large eu-central-1b"]);
  cloud().setRule(full(() => true));
  const [failed] = await own.launch([wish(run, "db", change)], never);
  expect(failed).toMatchObject({ kind: "failed", leftover: null, error: { message: expect.stringMatching(/no machine for db: none of m5\.large in eu-central-1a, .*m5a\.large in eu-central-1b is to be had: .*sufficient capacity/) } });
  expect(await live(run)).toEqual([`${run}.web.1`]);
});

test("an exhausted quota ends the attempt at once and is named; other services get their machines", async () => {
  const [run, own] = [newRun(), driver()];
  cloud().setRule((action, parameters) => (action === "RunInstances" && parameters.get("InstanceType") === "p5.48xlarge" ? { status: 400, code: "VcpuLimitExceeded", message: "You have requested more vCPU capacity than your current limit of 0" } : null));
  const outcomes = await own.launch([wish(run, "big", { size: "p5.48xlarge", fallbackSizes: ["m5.large"] }), wish(run, "web")], never);
  expect(outcomes).toMatchObject([{ kind: "failed", leftover: null, error: { message: expect.stringMatching(/limit of 0 \(quota VcpuLimitExceeded: /) } }, { kind: "launched" }]);
});

test("a machine that the cloud does not show yet is unknown, and its terminate waits until it is shown", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const own = driver({}, { clock });
  const id = machinesOf(await own.launch([wish(run, "web")], never))[0]?.id ?? "";
  const hidden = (action: string, isHidden: () => boolean) => (["DescribeInstances", "TerminateInstances"].includes(action) && isHidden() ? { status: 400, code: "InvalidInstanceID.NotFound", message: `The instance ID '${id}' does not exist` } : null);
  cloud().setRule((action) => hidden(action, () => true));
  expect(await own.describe([id], never)).toMatchObject([{ id, state: "unknown" }]);
  const until = clock.now() + 60_000;
  cloud().setRule((action) => hidden(action, () => clock.now() < until));
  expect(await own.terminate([id], never)).toEqual([{ id, kind: "terminated" }]);
  expect(clock.now()).toBeGreaterThanOrEqual(until);
  cloud().setRule(null);
  expect(await own.describe([id], never)).toMatchObject([{ state: "terminated" }]);
});

test("refusals that name no machine are traced to the machine by halves", async () => {
  const [run, own] = [newRun(), driver()];
  const ids = machinesOf(await own.launch(["a", "b", "c", "d", "e"].map((service) => wish(run, service)), never)).map(({ id }) => id);
  const stubborn = ids[3] as string;
  cloud().setRule((action, parameters) => (action === "TerminateInstances" && [...parameters.values()].includes(stubborn) ? { status: 400, code: "OperationNotPermitted", message: "It may not be terminated." } : null));
  const outcomes = await own.terminate(ids, never);
  expect(outcomes.filter(({ kind }) => kind === "failed")).toMatchObject([{ id: stubborn, error: { message: expect.stringContaining("may not be terminated") } }]);
  cloud().setRule(null);
  expect(await live(run)).toEqual([`${run}.d.1`]);
});

test("a machine that does not end is not called terminated", async () => {
  const [run, own] = [newRun(), driver()];
  const id = machinesOf(await own.launch([wish(run, "web")], never))[0]?.id ?? "";
  cloud().setRule((action) => (action === "TerminateInstances" ? { status: 200, code: "ignored", message: "" } : null));
  expect(await own.terminate([id], never)).toMatchObject([{ id, kind: "failed", error: { message: expect.stringMatching(/is "running": not gone after 10 minutes/) } }]);
  expect(await own.terminate([id], AbortSignal.abort())).toMatchObject([{ id, kind: "failed", error: { message: expect.stringContaining("interrupted") } }]);
});

test("nobody listens, no region, no credentials: each says what to do, and nothing is launched", async () => {
  const refused = driver({ endpoint: "http://127.77.7.7:9" });
  await expect(refused.launch([wish(newRun(), "web")], never)).rejects.toThrow(/cannot be reached: .*ECONNREFUSED.*see to the network/);
  await expect(refused.describe(["i-1"], never)).rejects.toThrow(CloudUnreachableError);
  const nowhere = driver({ region: undefined });
  await expect(nowhere.list({ installation: "here", run: null }, never)).rejects.toThrow(/cannot be reached: .*write region: in the cloud, or set AWS_REGION/);
  const { AWS_ACCESS_KEY_ID: key } = process.env;
  Reflect.deleteProperty(process.env, "AWS_ACCESS_KEY_ID");
  try {
    await expect(driver().describe(["i-1"], never)).rejects.toThrow(/cannot be reached: .*give valid credentials/);
    await expect(driver({ profile: "nobody" }).describe(["i-1"], never)).rejects.toThrow(CloudUnreachableError);
  } finally {
    process.env["AWS_ACCESS_KEY_ID"] = key;
  }
});

test("a connection that is refused after machines were asked for is a lost answer, not an untouched cloud", async () => {
  const [run, own] = [newRun(), driver()];
  cloud().setRule(refuse("RunInstances", "ExpiredToken", "The security token is expired", 400, (nth) => nth === 2));
  await expect(own.launch(["a", "b", "c"].map((service) => wish(run, service)), never)).rejects.toThrow(LostReplyError);
  machinesOf(await own.launch(["a", "b", "c"].map((service) => wish(run, service)), never));
  expect(await live(run)).toHaveLength(3);
});
