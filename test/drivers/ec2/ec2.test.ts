/** The EC2 driver against the driver contract, on a cloud that speaks EC2's API. */
import { expect, test } from "@jest/globals";

import { never } from "../../support/drivers.js";
import { machinesOf, newRun, tagsOf, useCloud, wish } from "../../support/ec2.js";
import { callsOf } from "../../support/moto.js";

const { cloud, driver } = useCloud();

test("a machine is launched, described, listed and terminated", async () => {
  const [run, own] = [newRun(), driver()];
  const [launched] = machinesOf(await own.launch([wish(run, "web")], never));
  const mark = { installation: "here", run, runName: `${run}-name`, service: "web" };
  expect(launched).toMatchObject({
    id: expect.stringMatching(/^i-[0-9a-f]+$/),
    key: `${run}.web.1`,
    mark,
    privateHost: expect.stringMatching(/^\d+\./),
  });
  const id = launched?.id ?? "";
  const [running] = await own.describe([id], never);
  expect(running).toMatchObject({
    id,
    key: `${run}.web.1`,
    mark,
    state: "running",
    access: { kind: "ssh", host: running?.host, port: null, user: null },
  });
  expect(await own.list({ installation: "here", run }, never)).toEqual([running]);
  expect(await own.list({ installation: "elsewhere", run }, never)).toEqual([]);
  expect((await own.list({ installation: "here", run: null }, never)).map((machine) => machine.id)).toContain(id);
  expect(await own.terminate([id], never)).toEqual([{ id, kind: "terminated" }]);
  expect(await own.describe([id], never)).toMatchObject([
    { id, state: "terminated", reason: expect.stringContaining("User initiated shutdown") },
  ]);
  expect(await own.list({ installation: "here", run }, never)).toEqual([]);
  expect(await own.terminate([id], never)).toEqual([{ id, kind: "terminated" }]);
});

test("fifty machines: each key has one, in the order of the requests, also when the launch is repeated by another driver", async () => {
  const run = newRun();
  const wishes = Array.from({ length: 50 }, (_, index) => wish(run, `web-${index + 1}`));
  const first = machinesOf(await driver().launch(wishes, never));
  expect(first.map(({ key }) => key)).toEqual(wishes.map(({ key }) => key));
  expect(new Set(first.map(({ id }) => id)).size).toBe(50);
  const other = driver();
  const again = machinesOf(await other.launch([...wishes].reverse(), never));
  expect(again.map(({ id }) => id).reverse()).toEqual(first.map(({ id }) => id));
  expect(await other.list({ installation: "here", run }, never)).toHaveLength(50);
  const calls = callsOf(cloud(), "RunInstances");
  expect(calls.map((call) => [call.get("MinCount"), call.get("MaxCount")])).toEqual([["1", "50"]]);
  cloud().setRule(null);
  await other.describe(
    first.map(({ id }) => id),
    never,
  );
  await other.terminate(
    first.map(({ id }) => id),
    never,
  );
  expect(callsOf(cloud(), "DescribeInstances")).toHaveLength(3); // one before they are ended, one after
  expect(callsOf(cloud(), "TerminateInstances")).toHaveLength(1);
});

test("machines that are to be apart get a call each, and with it a host key of their own for the first contact", async () => {
  const run = newRun();
  const contact = { authorizedKeys: ["ssh-ed25519 AAAA me"], hostKey: true };
  const [a, b, c, d] = machinesOf(
    await driver().launch(
      [
        ...["a", "b"].map((service) => wish(run, service, { contact })),
        ...["c", "d"].map((service) => wish(run, service, { contact, launch: { apart: true } })),
      ],
      never,
    ),
  );
  expect(
    callsOf(cloud(), "RunInstances")
      .map((call) => call.get("MaxCount"))
      .sort(),
  ).toEqual(["1", "1", "2"]);
  const keys = [a, b, c, d].map((machine) =>
    machine?.access?.kind === "ssh" ? machine.access.firstContact?.hostKeys : [],
  );
  expect(keys.every((own) => own?.length === 1)).toBe(true);
  expect(keys[0]).toEqual(keys[1]);
  expect(new Set(keys.map((own) => own?.[0])).size).toBe(3);
});

test("the same driver gives the same machine for a key without asking the cloud for one", async () => {
  const [run, own] = [newRun(), driver()];
  const [first] = machinesOf(await own.launch([wish(run, "web")], never));
  const [again, other] = machinesOf(await own.launch([wish(run, "web"), wish(run, "db")], never));
  expect(again?.id).toBe(first?.id);
  expect(other?.id).not.toBe(first?.id);
});

test("a key whose machine is terminated gives no second machine: the old one is shown", async () => {
  const [run, own] = [newRun(), driver()];
  const [first] = machinesOf(await own.launch([wish(run, "web")], never));
  await own.terminate([first?.id ?? ""], never);
  expect(await own.launch([wish(run, "web")], never)).toMatchObject([
    { kind: "launched", machine: { id: first?.id, state: "terminated" } },
  ]);
});

test("machines that the cloud does not know are unknown, in their places; terminated, they are gone", async () => {
  const [run, own] = [newRun(), driver()];
  const [a, b] = machinesOf(await own.launch([wish(run, "a"), wish(run, "b")], never)).map(({ id }) => id) as [
    string,
    string,
  ];
  const [none, nor] = ["i-0123456789abcdef0", "i-0123456789abcdef1"];
  expect((await own.describe([none, b, nor, a, b], never)).map(({ id, state }) => [id, state])).toEqual([
    [none, "unknown"],
    [b, "running"],
    [nor, "unknown"],
    [a, "running"],
    [b, "running"],
  ]);
  expect(await own.terminate([none, a, nor], never)).toEqual([none, a, nor].map((id) => ({ id, kind: "terminated" })));
  expect((await own.describe([a, b], never)).map(({ state }) => state)).toEqual(["terminated", "running"]);
});

test("a list of several pages is read to its end", async () => {
  const [run, own] = [newRun(), driver()];
  // A reservation each.
  const ids: string[] = [];
  for (const service of ["a", "b", "c"])
    ids.push(...machinesOf(await own.launch([wish(run, service)], never)).map(({ id }) => id));
  cloud().setRule(null);
  // The cloud goes on after the reservation that the token names; the first page is cut down to that one.
  cloud().rewrite = (answer) => {
    cloud().rewrite = null;
    const [first = ""] = /<reservationId>[^]*?(?=<reservationId>|<\/reservationSet>)/.exec(answer) ?? [];
    const id = /<reservationId>(.*?)</.exec(first)?.[1] ?? "";
    return `<DescribeInstancesResponse><reservationSet><item>${first.replace(/<item>\s*$/, "")}</reservationSet><nextToken>${id}</nextToken></DescribeInstancesResponse>`;
  };
  const listed = await own.list({ installation: "here", run }, never);
  expect(listed.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(callsOf(cloud(), "DescribeInstances").map((call) => call.get("NextToken"))).toEqual([
    null,
    expect.stringMatching(/^r-/),
  ]);
});

test("empty lists ask nothing", async () => {
  const own = driver();
  expect([await own.launch([], never), await own.describe([], never), await own.terminate([], never)]).toEqual([
    [],
    [],
    [],
  ]);
  expect(cloud().calls).toEqual([]);
});

test("what a service says of its machine is asked for in the call that makes it", async () => {
  const [run, own] = [newRun(), driver()];
  const launch = {
    zone: "eu-central-1b",
    key_name: "ops",
    public_address: true,
    tags: { team: "shop", Name: "mine" },
    user_data: "#!/bin/sh\necho é\n",
    shutdown: "stop",
    metadata: { tokens: "optional", hop_limit: "2" },
    disks: [{ device: "/dev/sda1", size_gb: "20", type: "gp3", encrypted: true }],
  };
  machinesOf(await own.launch([wish(run, "web", { launch })], never));
  const call = Object.fromEntries(callsOf(cloud(), "RunInstances")[0] ?? []);
  expect(call).toMatchObject({
    MinCount: "1",
    MaxCount: "1",
    InstanceType: "m5.large",
    KeyName: "ops",
    "Placement.AvailabilityZone": "eu-central-1b",
    InstanceInitiatedShutdownBehavior: "stop",
    "MetadataOptions.HttpTokens": "optional",
    "MetadataOptions.HttpPutResponseHopLimit": "2",
    "NetworkInterface.1.AssociatePublicIpAddress": "true",
    "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
    "BlockDeviceMapping.1.Ebs.VolumeSize": "20",
    "BlockDeviceMapping.1.Ebs.Encrypted": "true",
    UserData: Buffer.from(launch.user_data).toString("base64"),
    ClientToken: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const tags = Object.fromEntries(
    Array.from({ length: 9 }, (_, index) => [
      call[`TagSpecification.1.Tag.${index + 1}.Key`],
      call[`TagSpecification.1.Tag.${index + 1}.Value`],
    ]),
  );
  expect(tags).toEqual({
    Name: "mine",
    team: "shop",
    "bootlevel:installation": "here",
    "bootlevel:run": run,
    "bootlevel:run-name": `${run}-name`,
    "bootlevel:service": "web",
    "bootlevel:replica": "1",
    "bootlevel:key": `${run}.web.1`,
    "bootlevel:batch": call["ClientToken"],
  });
});

test("without a word of it, instance metadata wants tokens, and a machine that shuts itself down is terminated", async () => {
  machinesOf(await driver().launch([wish(newRun(), "web", { launch: { spot: true } })], never));
  expect(Object.fromEntries(callsOf(cloud(), "RunInstances")[0] ?? [])).toMatchObject({
    "MetadataOptions.HttpTokens": "required",
    InstanceInitiatedShutdownBehavior: "terminate",
    "InstanceMarketOptions.MarketType": "spot",
    "TagSpecification.3.ResourceType": "spot-instances-request",
  });
});

test.each([
  ["public", (public_: string) => public_],
  ["private", (_: string, private_: string) => private_],
] as const)("with address: %s a machine is reached by that one", async (address, choose) => {
  const own = driver({ address });
  const [launched] = machinesOf(await own.launch([wish(newRun(), "web", { launch: { public_address: true } })], never));
  const [machine] = await own.describe([launched?.id ?? ""], never);
  const [seen] = await driver().describe([launched?.id ?? ""], never);
  expect(seen?.host).not.toBe(seen?.privateHost);
  expect(machine?.host).toBe(choose(seen?.host ?? "", seen?.privateHost ?? ""));
  expect(machine?.access).toMatchObject({ kind: "ssh", host: machine?.host });
});

test("the newest image of an owner is found once for all; a parameter's image is left to EC2; other words are refused", async () => {
  const [run, own] = [newRun(), driver()];
  machinesOf(
    await own.launch(
      ["a", "b"].map((service) => wish(run, service, { image: "newest:amazon/*" })),
      never,
    ),
  );
  expect(callsOf(cloud(), "DescribeImages")).toHaveLength(1);
  const ids = callsOf(cloud(), "RunInstances").map((call) => call.get("ImageId"));
  expect(new Set(ids).size).toBe(1);
  cloud().setRule((action) =>
    action === "RunInstances" ? { status: 400, code: "InvalidAMIID.NotFound", message: "no" } : null,
  );
  await own.launch([wish(run, "c", { image: "ssm:/aws/service/debian" })], never);
  expect(callsOf(cloud(), "RunInstances")[0]?.get("ImageId")).toBe("resolve:ssm:/aws/service/debian");
  const outcomes = await own.launch(
    [
      wish(run, "d", { image: "debian" }),
      wish(run, "e", { image: "newest:amazon/none-of-this" }),
      wish(run, "f", { image: null }),
      wish(run, "g", { size: null, image: "ami-1" }),
    ],
    never,
  );
  expect(outcomes).toMatchObject(
    [
      /"debian" is not an image: write ami-…/,
      /amazon has no image in this region with a name like "none-of-this"/,
      /f: it has no image/,
      /g has no size/,
    ].map((message) => ({ kind: "failed", leftover: null, error: { message: expect.stringMatching(message) } })),
  );
});

test("an interrupted launch asks nothing and promises nothing", async () => {
  const run = newRun();
  const interrupted = () => driver().launch([wish(run, "web")], AbortSignal.abort());
  const error = { message: expect.stringContaining("interrupted") };
  // Calls are recorded before they are made, and none is: nothing is left.
  expect(await interrupted()).toMatchObject([{ kind: "failed", error, leftover: null }]);
  expect(cloud().calls).toEqual([]);
  machinesOf(await driver().launch([wish(run, "web")], never));
  expect(await interrupted()).toMatchObject([
    { kind: "failed", error, leftover: expect.stringContaining("interrupted") },
  ]);
});

test("the end of a command waits for a few tags only: the next one goes on with them; machines have a name from the start", async () => {
  const run = newRun();
  const wishes = Array.from({ length: 200 }, (_, index) => wish(run, `w-${index + 1}`, { replica: index + 1 }));
  const first = driver();
  const ids = machinesOf(await first.launch(wishes, never)).map(({ id }) => id);
  const [name] = callsOf(cloud(), "RunInstances").flatMap((call) => {
    const [key = ""] = [...call].find(([, value]) => value === "Name") ?? [];
    return [call.get(key.replace(/Key$/, "Value"))];
  });
  expect(name).toBe(`${run}-name/w`);
  await first.close?.();
  const tagged = callsOf(cloud(), "CreateTags").length;
  expect(tagged).toBeLessThan(150);
  for (let command = 0; command < 6; command += 1) {
    const next = driver();
    await next.describe(ids.slice(0, 1), never);
    await next.close?.();
  }
  expect(callsOf(cloud(), "CreateTags").length).toBeGreaterThanOrEqual(200);
  const tags = await tagsOf(cloud(), ids);
  expect(new Set(tags.map((own) => own["bootlevel:key"]))).toEqual(new Set(wishes.map(({ key }) => key)));
  expect(new Set(tags.map((own) => own["Name"]))).toEqual(
    new Set(wishes.map(({ mark }) => `${run}-name/${mark.service}`)),
  );
});

test("a reference that gave something else than the key takes is told for its service only", async () => {
  const [run, own] = [newRun(), driver()];
  const outcomes = await own.launch(
    [wish(run, "bad", { launch: { disks: [{ device: "/dev/sda1", size_gb: "much" }] } }), wish(run, "good")],
    never,
  );
  expect(outcomes).toMatchObject([
    {
      kind: "failed",
      leftover: null,
      error: { message: expect.stringMatching(/launch of bad: launch\/disks\/0\/size_gb must be integer/) },
    },
    { kind: "launched" },
  ]);
});
