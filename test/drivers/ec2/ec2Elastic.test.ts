/** Elastic IPs: each replica has one as long as its run, whoever dies when, and nothing of it is left afterwards. */
import { DescribeAddressesCommand, EC2Client, type Address } from "@aws-sdk/client-ec2";
import { expect, test } from "@jest/globals";

import type { MachineStatus } from "../../../src/drivers/contract/driver.js";
import { never } from "../../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../../support/ec2.js";
import { callsOf, cut, refuse } from "../../support/moto.js";

const { cloud, driver } = useCloud();
const WANTED = { launch: { elastic_ip: true } };

async function addresses(run: string): Promise<Address[]> {
  const client = new EC2Client({ endpoint: cloud().endpoint, region: "eu-central-1" });
  const Filters = [{ Name: "tag:bootlevel:run", Values: [run] }];
  const { Addresses = [] } = await client.send(new DescribeAddressesCommand({ Filters }));
  client.destroy();
  return Addresses;
}
const tagsOf = ({ Tags = [] }: Address) => Object.fromEntries(Tags.map(({ Key = "", Value }) => [Key, Value]));
const launch = async (own = driver(), ...wishes: ReturnType<typeof wish>[]) =>
  machinesOf(await own.launch(wishes, never));
const look = async (machines: readonly MachineStatus[], own = driver()) =>
  own.describe(
    machines.map(({ id }) => id),
    never,
  );

test("a machine is reachable when it has its address, which carries the run's tags and goes with the run", async () => {
  const run = newRun();
  const own = driver();
  const machines = await launch(own, wish(run, "web-1", WANTED), wish(run, "web-2", WANTED), wish(run, "db"));
  expect(machines.map(({ host, access }) => host === null && access === null)).toEqual([true, true, false]);
  const now = await look(machines, own);
  const had = await addresses(run);
  expect(had.map(tagsOf)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        "bootlevel:service": "web-1",
        "bootlevel:installation": "here",
        Name: `${run}-name/web-1`,
      }),
    ]),
  );
  const byMachine = new Map(had.map(({ InstanceId = "", PublicIp = "" }) => [InstanceId, PublicIp]));
  for (const machine of now.slice(0, 2))
    expect(machine).toMatchObject({
      host: byMachine.get(machine.id),
      access: { kind: "ssh", host: byMachine.get(machine.id) },
    });
  // Whoever looks again, with another process too, finds them as they are.
  expect(await look(machines)).toEqual(now);
  expect(callsOf(cloud(), "AllocateAddress")).toHaveLength(2);
  expect(await own.unreleased?.("here", never)).toContain(run);
  await own.terminate(
    machines.map(({ id }) => id),
    never,
  );
  await own.release?.({ installation: "here", run }, never);
  await own.release?.({ installation: "here", run }, never);
  expect(await addresses(run)).toEqual([]);
});

test("a machine that replaces another gets its address", async () => {
  const run = newRun();
  const own = driver();
  const [first] = await launch(own, wish(run, "web", WANTED));
  const [before] = await look([first as MachineStatus], own);
  await own.terminate([first?.id ?? ""], never);
  const [second] = await launch(own, wish(run, "web", { ...WANTED, key: `${run}.web.2` }));
  const [after] = await look([second as MachineStatus], own);
  expect(after?.id).not.toBe(before?.id);
  expect(after?.host).toBe(before?.host);
  expect(await addresses(run)).toHaveLength(1);
  await own.release?.({ installation: "here", run }, never);
});

test("an allocation whose answer was lost is found by its tags; one that only looks changes nothing", async () => {
  const run = newRun();
  const [machine] = await launch(driver(), wish(run, "web", WANTED));
  expect(await look([machine as MachineStatus], driver({}, { readOnly: true }))).toHaveLength(1);
  expect(callsOf(cloud(), "AllocateAddress").length).toBe(0);
  cloud().setRule(cut("AllocateAddress", "cut-after", (nth) => nth === 1));
  const own = driver();
  await expect(look([machine as MachineStatus], own)).rejects.toThrow(/AllocateAddress/);
  const [now] = await look([machine as MachineStatus], own);
  expect(now?.host).toBe((await addresses(run))[0]?.PublicIp);
  expect(await addresses(run)).toHaveLength(1);
  await own.release?.({ installation: "here", run }, never);
});

test("a machine that cannot have it yet waits; a quota is an error", async () => {
  const run = newRun();
  const [machine] = await launch(driver(), wish(run, "web", WANTED));
  cloud().setRule(refuse("AssociateAddress", "IncorrectInstanceState", "not running", 400, (nth) => nth === 1));
  const own = driver();
  expect(await look([machine as MachineStatus], own)).toMatchObject([{ state: "running", host: null, access: null }]);
  const [now] = await look([machine as MachineStatus], own);
  expect(now?.host).not.toBeNull();
  await own.release?.({ installation: "here", run }, never);
  cloud().setRule(
    refuse("AllocateAddress", "AddressLimitExceeded", "The maximum number of addresses has been reached."),
  );
  // Machines with other wishes have nothing to do with it, and it can still be destroyed.
  const [plain] = await launch(own, wish(run, "plain"));
  expect(await look([machine as MachineStatus, plain as MachineStatus], own)).toMatchObject([
    {
      host: null,
      noAddress: expect.stringMatching(/^it gets no Elastic IP: .*AddressLimitExceeded: The maximum number/),
    },
    { state: "running", host: expect.any(String) },
  ]);
  expect(await own.list({ installation: "here", run }, never)).toHaveLength(2);
});

test("plans without Elastic IPs need no rights on addresses", async () => {
  const run = newRun();
  cloud().setRule((action) => (action.endsWith("Address") || action === "DescribeAddresses" ? denied : null));
  const own = driver();
  const [machine] = await launch(own, wish(run, "web"));
  expect(await look([machine as MachineStatus], own)).toMatchObject([{ state: "running" }]);
  await own.terminate([machine?.id ?? ""], never);
  await own.release?.({ installation: "here", run }, never);
  expect(await own.unreleased?.("here", never)).not.toContain(run);
});
const denied = { status: 403, code: "UnauthorizedOperation", message: "You are not authorized" };
