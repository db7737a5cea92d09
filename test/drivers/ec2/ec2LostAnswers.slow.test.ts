/** The EC2 driver when answers are lost: no machine is lost, and none is there twice. */
import { expect, test } from "@jest/globals";

import { LostReplyError } from "../../../src/drivers/contract/driver.js";
import { never, stateDirectory } from "../../support/drivers.js";
import { machinesOf, newRun, persist, useCloud, wish } from "../../support/ec2.js";
import { callsOf, cut, hastyClock, refuse, type Rule } from "../../support/moto.js";

const { cloud, driver, live } = useCloud();

test.each(["cut-before", "cut-after"] as const)(
  "an answer that is lost (%s) gives no second machine: nothing is asked again before the cloud must have shown what it made",
  async (how) => {
    const [run, clock] = [newRun(), hastyClock()];
    const own = driver({}, { clock });
    const wishes = ["a", "b", "c", "d"].map((service) => wish(run, service));
    cloud().setRule(cut("RunInstances", how, (nth) => nth === 1));
    const began = clock.now();
    await expect(own.launch(wishes, never)).rejects.toThrow(LostReplyError);
    expect(machinesOf(await persist(own, clock, wishes)).map(({ key }) => key)).toEqual(wishes.map(({ key }) => key));
    expect(await live(run)).toEqual(wishes.map(({ key }) => key));
    expect(callsOf(cloud(), "RunInstances")).toHaveLength(how === "cut-before" ? 2 : 1);
    if (how === "cut-before") expect(clock.now() - began).toBeGreaterThanOrEqual(120_000);
  },
);

test("a cloud that heeds tokens is asked again at once, with the same call to the letter", async () => {
  const run = newRun();
  const own = driver({ heeds_tokens: true });
  const wishes = ["a", "b"].map((service) => wish(run, service));
  cloud().setRule(cut("RunInstances", "cut-before", (nth) => nth === 1));
  await expect(own.launch(wishes, never)).rejects.toThrow(LostReplyError);
  machinesOf(await own.launch(wishes, never));
  const [first, second] = callsOf(cloud(), "RunInstances").map((call) => [...call].sort().join());
  expect(second).toBe(first);
  expect(await live(run)).toHaveLength(2);
});

test("an endpoint that the environment names is not taken for Amazon: its tokens are not trusted", async () => {
  const run = newRun();
  process.env["AWS_ENDPOINT_URL_EC2"] = cloud().endpoint;
  try {
    const own = driver({ endpoint: undefined });
    const wishes = [wish(run, "a")];
    cloud().setRule(cut("RunInstances", "cut-before", (nth) => nth === 1));
    for (let time = 0; time < 2; time += 1) await expect(own.launch(wishes, never)).rejects.toThrow(LostReplyError);
    expect(callsOf(cloud(), "RunInstances")).toHaveLength(1);
  } finally {
    Reflect.deleteProperty(process.env, "AWS_ENDPOINT_URL_EC2");
  }
});

test("a token that is known with other words tells that an earlier launcher's call took effect: what it made is waited for", async () => {
  const run = newRun();
  const wishes = ["a", "b"].map((service) => wish(run, service));
  cloud().setRule(cut("RunInstances", "cut-after", () => true));
  await expect(driver({ heeds_tokens: true }).launch(wishes, never)).rejects.toThrow(LostReplyError);
  let hidden = true;
  cloud().setRule((action) =>
    action === "RunInstances"
      ? {
          status: 400,
          code: "IdempotentParameterMismatch",
          message: "Arguments on this idempotent request are inconsistent",
        }
      : null,
  );
  cloud().rewrite = (answer) =>
    hidden ? answer.replace(/<reservationSet>[^]*<\/reservationSet>/, "<reservationSet/>") : answer;
  const next = driver({ heeds_tokens: true });
  await expect(next.launch(wishes, never)).rejects.toThrow(LostReplyError);
  await expect(next.launch(wishes, never)).rejects.toThrow(/IdempotentParameterMismatch/);
  hidden = false;
  machinesOf(await next.launch(wishes, never));
  cloud().rewrite = null;
  expect(await live(run)).toEqual(wishes.map(({ key }) => key));
});

test("another launcher, after one that died with a lost answer, finds what was made; what it cannot find it asks for later", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const wishes = ["a", "b", "c"].map((service) => wish(run, service));
  cloud().setRule(cut("RunInstances", "cut-after", () => true));
  cloud().generous = false; // one of three
  await expect(driver({}, { clock }).launch(wishes, never)).rejects.toThrow(LostReplyError);
  cloud().setRule(null);
  machinesOf(await persist(driver({}, { clock }), clock, wishes));
  expect(await live(run)).toEqual(wishes.map(({ key }) => key));
});

test("machines of a lost answer that the cloud shows one by one keep their keys", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const wishes = ["a", "b", "c"].map((service) => wish(run, service));
  cloud().setRule(cut("RunInstances", "cut-after", () => true));
  const own = driver({}, { clock });
  await expect(own.launch(wishes, never)).rejects.toThrow(LostReplyError);
  cloud().setRule(null);
  let shown = 0;
  cloud().rewrite = (answer) => {
    const [, before = "", items = "", after = ""] =
      /([^]*<instancesSet>)([^]*)(<\/instancesSet>[^]*)/.exec(answer) ?? [];
    if (before === "") return answer;
    shown += 1;
    return (
      before +
      items
        .split(/(?=<item>\s*<instanceId>)/)
        .reverse()
        .slice(0, shown)
        .join("") +
      after
    );
  };
  const machines = machinesOf(await persist(own, clock, wishes));
  cloud().rewrite = null;
  const keys = new Map((await driver().list({ installation: "here", run }, never)).map(({ id, key }) => [id, key]));
  expect(keys.size).toBe(3);
  expect(machines.map(({ id }) => keys.get(id))).toEqual(wishes.map(({ key }) => key));
});

test("the token of a call is another one in another place", async () => {
  const [run, own] = [newRun(), driver()];
  cloud().setRule((action, parameters) =>
    action === "RunInstances" && parameters.get("Placement.AvailabilityZone") === "eu-central-1a"
      ? { status: 500, code: "InsufficientInstanceCapacity", message: "full" }
      : null,
  );
  machinesOf(await own.launch([wish(run, "web", { launch: { zone: ["eu-central-1a", "eu-central-1b"] } })], never));
  const calls = callsOf(cloud(), "RunInstances").map((call) => [
    call.get("Placement.AvailabilityZone"),
    call.get("ClientToken"),
  ]);
  expect(calls.map(([zone]) => zone)).toEqual(["eu-central-1a", "eu-central-1b"]);
  expect(calls[0]?.[1]).not.toBe(calls[1]?.[1]);
});

test("files that are lost while a machine has no tags of its own: nothing more is launched for the run", async () => {
  const run = newRun();
  const wishes = ["a", "b"].map((service) => wish(run, service));
  cloud().setRule((action) =>
    action === "CreateTags" ? { status: 403, code: "UnauthorizedOperation", message: "no" } : null,
  );
  const told: string[] = [];
  const first = driver(
    {},
    {
      warn: (message) => {
        told.push(message);
      },
    },
  );
  machinesOf(await first.launch(wishes, never));
  await first.close?.();
  expect(told).toEqual([
    expect.stringMatching(
      /machine i-\w+ has no tags of its own yet: CreateTags: UnauthorizedOperation: no \(the credentials are valid, but may not do this\)/,
    ),
  ]);
  await expect(driver({}, { stateDirectory: stateDirectory() }).launch(wishes, never)).rejects.toThrow(
    /belongs to no known request: .*bootlevel clean/,
  );
  cloud().setRule(null);
});

test("a lost answer before an interruption leaves a doubt, which the outcome tells", async () => {
  const [run, own, abort] = [newRun(), driver(), new AbortController()];
  cloud().setRule((action) => {
    if (action !== "RunInstances") return null;
    abort.abort();
    return "cut-after";
  });
  expect(await own.launch([wish(run, "a")], abort.signal)).toMatchObject([
    { kind: "failed", leftover: expect.stringContaining("may exist") },
  ]);
  expect(await live(run)).toEqual([`${run}.a.1`]);
});

test("a connection that is refused after machines were asked for is a lost answer, not an untouched cloud", async () => {
  const [run, own] = [newRun(), driver()];
  const wishes = ["a", "b", "c"].map((service) => wish(run, service, { launch: { tags: { service } } }));
  cloud().setRule(refuse("RunInstances", "ExpiredToken", "The security token is expired", 400, (nth) => nth === 2));
  await expect(own.launch(wishes, never)).rejects.toThrow(LostReplyError);
  machinesOf(await own.launch(wishes, never));
  expect(await live(run)).toHaveLength(3);
});

test("a call that waited long for its turn is in doubt from when it was made, not from when it was wished for", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const own = driver({}, { clock });
  cloud().setRule((action, _parameters, nth) => {
    if (action !== "RunInstances") return null;
    if (nth < 60) return { status: 503, code: "RequestLimitExceeded", message: "Request limit exceeded." };
    return nth === 60 ? "cut-after" : null;
  });
  const began = clock.now();
  await expect(own.launch([wish(run, "web")], never)).rejects.toThrow(LostReplyError);
  expect(clock.now() - began).toBeGreaterThan(120_000);
  cloud().rewrite = (answer) => answer.replace(/<reservationSet>[^]*<\/reservationSet>/, "<reservationSet/>");
  for (const next of [own, driver({}, { clock })])
    await expect(next.launch([wish(run, "web")], never)).rejects.toThrow(LostReplyError);
  // Nor does a terminate take it for missing.
  await expect(driver({}, { clock }).list({ installation: "here", run }, never)).rejects.toThrow(LostReplyError);
  cloud().rewrite = null;
  machinesOf(await own.launch([wish(run, "web")], never));
  expect(await live(run)).toHaveLength(1);
  expect(callsOf(cloud(), "RunInstances")).toHaveLength(60);
});

test.each([
  [
    "an interruption",
    (abort: AbortController): Rule =>
      (action) => {
        if (action === "RunInstances") abort.abort();
        return action === "RunInstances" ? { status: 503, code: "RequestLimitExceeded", message: "slow" } : null;
      },
  ],
  ["a refusal", (): Rule => refuse("RunInstances", "UnauthorizedOperation", "no", 403)],
  ["a network that is down", (): Rule => refuse("RunInstances", "ExpiredToken", "The security token is expired")],
])("%s while a doubtful call is made again leaves the doubt: no other machine is asked for", async (_what, rule) => {
  const [run, clock, abort] = [newRun(), hastyClock(), new AbortController()];
  const own = (signal = never) => driver({ heeds_tokens: true }, { clock }).launch([wish(run, "web")], signal);
  cloud().setRule(cut("RunInstances", "cut-after", () => true));
  await expect(own()).rejects.toThrow(LostReplyError);
  cloud().rewrite = (answer) => answer.replace(/<reservationSet>[^]*<\/reservationSet>/, "<reservationSet/>");
  cloud().setRule(rule(abort));
  await own(abort.signal).catch(() => null);
  cloud().setRule((action) =>
    action === "RunInstances"
      ? {
          status: 400,
          code: "IdempotentParameterMismatch",
          message: "Arguments on this idempotent request are inconsistent",
        }
      : null,
  );
  await expect(own()).rejects.toThrow(/IdempotentParameterMismatch/);
  const tokens = callsOf(cloud(), "RunInstances").map((call) => call.get("ClientToken"));
  cloud().rewrite = null;
  machinesOf(await own());
  expect(tokens).toHaveLength(1);
  expect(await live(run)).toHaveLength(1);
});

test("a known token whose machines are gone for good does not stop a run for ever", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const own = () => driver({ heeds_tokens: true }, { clock });
  cloud().setRule(cut("RunInstances", "cut-before", () => true));
  await expect(own().launch([wish(run, "web")], never)).rejects.toThrow(LostReplyError);
  const known = callsOf(cloud(), "RunInstances")[0]?.get("ClientToken");
  cloud().setRule((action, parameters) =>
    action === "RunInstances" && parameters.get("ClientToken") === known
      ? {
          status: 400,
          code: "IdempotentParameterMismatch",
          message: "Arguments on this idempotent request are inconsistent",
        }
      : null,
  );
  machinesOf(await persist(own(), clock, [wish(run, "web")]));
  expect(await live(run)).toHaveLength(1);
});
