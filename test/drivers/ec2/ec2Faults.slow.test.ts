/** The EC2 driver when calls are refused and zones are full. */
import { expect, test } from "@jest/globals";

import { CloudUnreachableError, LostReplyError, ThrottledError } from "../../../src/drivers/contract/driver.js";
import { never, stateDirectory } from "../../support/drivers.js";
import { machinesOf, newRun, persist, tagsOf, useCloud, wish } from "../../support/ec2.js";
import { callsOf, cut, hastyClock, refuse, type Rule } from "../../support/moto.js";

const { cloud, driver, live } = useCloud();

test("a cloud that gives fewer than asked for is asked for the rest, then for the rest in the next place", async () => {
  const [run, own] = [newRun(), driver()];
  const wishes = Array.from({ length: 10 }, (_, index) =>
    wish(run, `w${index}`, { launch: { zone: ["eu-central-1a", "eu-central-1b"] } }),
  );
  let left = 4;
  cloud().setRule((action, parameters) => {
    if (action !== "RunInstances" || parameters.get("Placement.AvailabilityZone") !== "eu-central-1a") return null;
    if (left === 0) return { status: 500, code: "InsufficientInstanceCapacity", message: "full" };
    const given = Math.min(left, 3);
    left -= given;
    parameters.set("MaxCount", String(given)); // what it has
    return null;
  });
  machinesOf(await own.launch(wishes, never));
  const asked = callsOf(cloud(), "RunInstances");
  expect(asked.map((call) => call.get("Placement.AvailabilityZone")?.at(-1))).toEqual(["a", "a", "a", "a", "b"]);
  expect(await live(run)).toHaveLength(10);
  expect(new Set(await live(run)).size).toBe(10);
});

test("a cloud that takes the least number for the wanted one is asked twice, not once a machine", async () => {
  const [run, own] = [newRun(), driver()];
  cloud().generous = false;
  const wishes = Array.from({ length: 30 }, (_, index) => wish(run, `w${index}`));
  machinesOf(await own.launch(wishes, never));
  expect(callsOf(cloud(), "RunInstances").map((call) => [call.get("MinCount"), call.get("MaxCount")])).toEqual([
    ["1", "30"],
    ["29", "29"],
  ]);
  expect(new Set(await live(run)).size).toBe(30);
});

test("machines of a call get the tags that are each one's own, also when the launcher died before it gave them", async () => {
  const run = newRun();
  const wishes = ["a", "b", "c"].map((service, index) =>
    wish(run, service, { replica: index + 1, ...(service === "b" ? { launch: { tags: { Name: "mine" } } } : {}) }),
  );
  const first = driver();
  cloud().setRule((action) => (action === "CreateTags" ? "cut-before" : null));
  const ids = machinesOf(await first.launch(wishes, never)).map(({ id }) => id);
  await first.close?.(AbortSignal.abort()); // the operator wants to stop: nothing waits for tags
  cloud().setRule(null);
  const looking = driver({}, { readOnly: true });
  await looking.describe(ids, never);
  await looking.close?.();
  expect(callsOf(cloud(), "CreateTags")).toEqual([]);
  const next = driver();
  expect((await next.describe(ids, never)).map(({ key, mark }) => [key, mark?.service])).toEqual(
    wishes.map(({ key, mark }) => [key, mark.service]),
  );
  await next.close?.();
  expect(
    (await tagsOf(cloud(), ids))
      .map((tags) => [tags["Name"], tags["bootlevel:service"], tags["bootlevel:replica"], tags["bootlevel:key"]])
      .sort(),
  ).toEqual(
    [
      ["mine", "b", "2", `${run}.b.1`],
      [`${run}-name/a`, "a", "1", `${run}.a.1`],
      [`${run}-name/c`, "c", "3", `${run}.c.1`],
    ].sort(),
  );
});

test("a cloud that asks for fewer calls is asked more slowly, and nobody fails", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const own = driver({}, { clock });
  const wishes = Array.from({ length: 12 }, (_, index) =>
    wish(run, `w${index}`, { launch: { tags: { number: String(index) } } }),
  );
  cloud().setRule(
    refuse("RunInstances", "RequestLimitExceeded", "Request limit exceeded.", 503, (nth) => nth % 3 !== 0),
  );
  machinesOf(await own.launch(wishes, never));
  expect(callsOf(cloud(), "RunInstances")).toHaveLength(36);
  expect(await live(run)).toHaveLength(12);
});

test("every call that changes something is made only while the run is the launcher's own", async () => {
  const run = newRun();
  let isOwn = true;
  const own = driver(
    {},
    {
      permit: async () => {
        if (!isOwn) throw new Error("taken over");
      },
    },
  );
  const wishes = Array.from({ length: 30 }, (_, index) =>
    wish(run, `w${index}`, { launch: { tags: { number: String(index) } } }),
  );
  cloud().setRule((action) => {
    if (action === "RunInstances") isOwn = false;
    return null;
  });
  await expect(own.launch(wishes, never)).rejects.toThrow("taken over");
  expect(callsOf(cloud(), "RunInstances").length).toBeLessThanOrEqual(8); // those that were on their way already
});

test.each(["describe", "list", "terminate"] as const)(
  "%s tells throttling, lost answers and errors of the server apart from refusals",
  async (verb) => {
    const own = driver();
    const call = (id: string) =>
      verb === "list" ? own.list({ installation: "here", run: "x" }, never) : own[verb]([id], never);
    const action = verb === "terminate" ? "TerminateInstances" : "DescribeInstances";
    for (const [rule, kind] of [
      [refuse(action, "RequestLimitExceeded", "slow", 503), ThrottledError],
      [refuse(action, "InternalError", "oops", 500), LostReplyError],
      [refuse(action, "Unavailable", "later", 503), LostReplyError],
      [cut(action, "cut-after", () => true), LostReplyError],
      [refuse(action, "AuthFailure", "who are you", 401), CloudUnreachableError],
    ] as const) {
      const id = machinesOf(await own.launch([wish(newRun(), "web")], never))[0]?.id ?? "";
      cloud().setRule(rule);
      await expect(call(id)).rejects.toThrow(kind);
      // The SDK repeats nothing by itself; throttled calls are repeated for a quarter of an hour, more slowly each
      // time.
      if (kind !== ThrottledError) expect(callsOf(cloud(), action)).toHaveLength(1);
      cloud().setRule(null);
    }
  },
);

test("a zone without capacity: the next zone, then the next size, in order; with none left the failure names all", async () => {
  const [run, own] = [newRun(), driver()];
  const change = { launch: { zone: ["eu-central-1a", "eu-central-1b"] }, fallbackSizes: ["m5a.large"] };
  const full =
    (isFull: (place: string) => boolean): Rule =>
    (action, parameters) => {
      const place = `${parameters.get("InstanceType")} ${parameters.get("Placement.AvailabilityZone")}`;
      return action === "RunInstances" && isFull(place)
        ? { status: 500, code: "InsufficientInstanceCapacity", message: "We currently do not have sufficient capacity" }
        : null;
    };
  cloud().setRule(full((place) => place !== "m5a.large eu-central-1b"));
  machinesOf(await own.launch([wish(run, "web", change)], never));
  expect(
    callsOf(cloud(), "RunInstances").map(
      (call) => `${call.get("InstanceType")} ${call.get("Placement.AvailabilityZone")}`,
    ),
  ).toEqual(["m5.large eu-central-1a", "m5.large eu-central-1b", "m5a.large eu-central-1a", "m5a.large eu-central-1b"]);
  cloud().setRule(full(() => true));
  const [failed] = await own.launch([wish(run, "db", change)], never);
  expect(failed).toMatchObject({
    kind: "failed",
    leftover: null,
    error: {
      message: expect.stringMatching(
        /no machine for db: no capacity for any of m5\.large in eu-central-1a, .*m5a\.large in eu-central-1b: .*sufficient capacity/,
      ),
    },
  });
  expect(await live(run)).toEqual([`${run}.web.1`]);
});

test("an exhausted quota ends the attempt at once and is named; other services get their machines", async () => {
  const [run, own] = [newRun(), driver()];
  cloud().setRule((action, parameters) =>
    action === "RunInstances" && parameters.get("InstanceType") === "p5.48xlarge"
      ? {
          status: 400,
          code: "VcpuLimitExceeded",
          message: "You have requested more vCPU capacity than your current limit of 0",
        }
      : null,
  );
  const outcomes = await own.launch(
    [wish(run, "big", { size: "p5.48xlarge", fallbackSizes: ["m5.large"] }), wish(run, "web")],
    never,
  );
  expect(outcomes).toMatchObject([
    {
      kind: "failed",
      leftover: null,
      error: { message: expect.stringMatching(/limit of 0 \(quota VcpuLimitExceeded: /) },
    },
    { kind: "launched" },
  ]);
});

test("a machine that the cloud does not show yet is unknown, and its terminate waits until it is shown", async () => {
  const [run, clock] = [newRun(), hastyClock()];
  const own = driver({}, { clock });
  const id = machinesOf(await own.launch([wish(run, "web")], never))[0]?.id ?? "";
  const hidden = (action: string, isHidden: () => boolean) =>
    ["DescribeInstances", "TerminateInstances"].includes(action) && isHidden()
      ? { status: 400, code: "InvalidInstanceID.NotFound", message: `The instance ID '${id}' does not exist` }
      : null;
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
  const ids = machinesOf(
    await own.launch(
      ["a", "b", "c", "d", "e"].map((service) => wish(run, service)),
      never,
    ),
  ).map(({ id }) => id);
  const stubborn = ids[3] as string;
  cloud().setRule((action, parameters) =>
    action === "TerminateInstances" && [...parameters.values()].includes(stubborn)
      ? { status: 400, code: "OperationNotPermitted", message: "It may not be terminated." }
      : null,
  );
  const outcomes = await own.terminate(ids, never);
  expect(outcomes.filter(({ kind }) => kind === "failed")).toMatchObject([
    { id: stubborn, error: { message: expect.stringContaining("may not be terminated") } },
  ]);
  cloud().setRule(null);
  expect(await live(run)).toEqual([`${run}.d.1`]);
});

test("a machine that does not end is not called terminated", async () => {
  const [run, own] = [newRun(), driver()];
  const id = machinesOf(await own.launch([wish(run, "web")], never))[0]?.id ?? "";
  cloud().setRule((action) => (action === "TerminateInstances" ? { status: 200, code: "ignored", message: "" } : null));
  expect(await own.terminate([id], never)).toMatchObject([
    { id, kind: "failed", error: { message: expect.stringMatching(/is "running": not gone after 10 minutes/) } },
  ]);
  expect(await own.terminate([id], AbortSignal.abort())).toMatchObject([
    { id, kind: "failed", error: { message: expect.stringContaining("interrupted") } },
  ]);
});

test("nobody listens, no region, no credentials: each says what to do, and nothing is launched", async () => {
  const refused = driver({ endpoint: "http://127.77.7.7:9" });
  await expect(refused.launch([wish(newRun(), "web")], never)).rejects.toThrow(
    /cannot be reached: .*ECONNREFUSED.*check the network/,
  );
  await expect(refused.describe(["i-1"], never)).rejects.toThrow(CloudUnreachableError);
  const nowhere = driver({ region: undefined });
  await expect(nowhere.list({ installation: "here", run: null }, never)).rejects.toThrow(
    /cannot be reached: .*write region: in the cloud, or set AWS_REGION/,
  );
  const { AWS_ACCESS_KEY_ID: key } = process.env;
  Reflect.deleteProperty(process.env, "AWS_ACCESS_KEY_ID");
  try {
    await expect(driver().describe(["i-1"], never)).rejects.toThrow(/cannot be reached: .*give valid credentials/);
    await expect(driver({ profile: "nobody" }).describe(["i-1"], never)).rejects.toThrow(CloudUnreachableError);
  } finally {
    process.env["AWS_ACCESS_KEY_ID"] = key;
  }
});

test("a launcher that was replaced writes no file about the run", async () => {
  const [run, clock, state] = [newRun(), hastyClock(), stateDirectory()];
  let isOwn = true;
  const old = driver(
    {},
    {
      clock,
      stateDirectory: state,
      permit: async () => {
        if (!isOwn) throw new Error("taken over");
      },
    },
  );
  cloud().setRule((action) => {
    if (action === "RunInstances") isOwn = false;
    return null;
  });
  await expect(old.launch([wish(run, "web")], never)).rejects.toThrow("taken over");
  const next = driver({}, { clock, stateDirectory: state });
  machinesOf(await persist(next, clock, [wish(run, "web")]));
  expect(await live(run)).toHaveLength(1);
});

test("a security group of the run's own that the cloud does not know yet is waited for; one that the plan names is not", async () => {
  const unknown = refuse(
    "RunInstances",
    "InvalidGroup.NotFound",
    "The security group 'sg-1' does not exist",
    400,
    (nth) => nth < 4,
  );
  const [run, own] = [newRun(), driver()];
  cloud().setRule(unknown);
  machinesOf(await own.launch([wish(run, "a"), wish(run, "b")], never));
  expect(await live(run)).toHaveLength(2);
  cloud().setRule(unknown);
  expect(await own.launch([wish(run, "c", { launch: { security_groups: ["sg-0a1b2c3d"] } })], never)).toMatchObject([
    { kind: "failed", leftover: null, error: { message: expect.stringContaining("InvalidGroup.NotFound") } },
  ]);
  expect(callsOf(cloud(), "RunInstances")).toHaveLength(1);
});
