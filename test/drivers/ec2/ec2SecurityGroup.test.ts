/** The security group of a run: made once, completed by whoever comes next, gone with the run. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test } from "@jest/globals";

import {
  CloudUnreachableError,
  DriverError,
  LostReplyError,
  type DriverContext,
  type MachineMark,
} from "../../../src/drivers/contract/driver.js";
import { Ec2Api } from "../../../src/drivers/ec2/api.js";
import { Ec2Calls } from "../../../src/drivers/ec2/calls.js";
import { SecurityGroups, type GroupParts } from "../../../src/drivers/ec2/securityGroup.js";
import { addressIn, localAddress, rangeOf, rangesOf } from "../../../src/drivers/ec2/sshSources.js";
import { never } from "../../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../../support/ec2.js";
import { callsOf, hastyClock, type Rule } from "../../support/moto.js";

const { cloud, driver } = useCloud();

const HERE = { allow_ssh_from: "203.0.113.7" };
const apis: Ec2Api[] = [];
afterEach(async () => {
  for (const api of apis.splice(0)) await api.close();
});

const markOf = (run: string): MachineMark => ({ installation: "here", run, runName: `${run}-name`, service: "web" });
const scope = (run: string) => ({ installation: "here", run });
const refusal = (code: string) => ({ status: 400, code, message: "no" });

function launcher(
  options: object = HERE,
  { permit = async () => undefined, ...parts }: Partial<GroupParts> & { readonly permit?: () => Promise<void> } = {},
): { groups: SecurityGroups; calls: Ec2Calls; said: string[] } {
  const said: string[] = [];
  const context = {
    cloud: "aws",
    options: { region: "eu-central-1", endpoint: cloud().endpoint, ...options } as DriverContext["options"],
    clock: hastyClock(),
    permit,
    warn: () => undefined,
  };
  const api = new Ec2Api(context);
  apis.push(api);
  const calls = new Ec2Calls(api);
  return {
    groups: new SecurityGroups({
      ...context,
      calls,
      host: () => api.host ?? "",
      warn: (message) => said.push(message),
      ...parts,
    }),
    calls,
    said,
  };
}

/** The rules of a run's groups: protocol, ports, who. */
async function rules(run: string): Promise<string[]> {
  const found = await launcher().calls.groups({ "tag:bootlevel:run": [run] }, never);
  return found
    .flatMap(({ GroupId, IpPermissions = [] }) =>
      IpPermissions.flatMap(({ IpProtocol, FromPort, IpRanges = [], Ipv6Ranges = [], UserIdGroupPairs = [] }) => [
        ...[...IpRanges.map(({ CidrIp }) => CidrIp), ...Ipv6Ranges.map(({ CidrIpv6 }) => CidrIpv6)].map(
          (range) => `${IpProtocol} ${FromPort} ${range}`,
        ),
        ...UserIdGroupPairs.map((pair) => `${IpProtocol} ${pair.GroupId === GroupId ? "itself" : "another"}`),
      ]),
    )
    .sort();
}

test("a run's group is made once for all its launchers, carries its tags from the first moment, and goes", async () => {
  const run = newRun();
  const [one, other] = [launcher(), launcher()];
  const ids = await Promise.all(
    [one, one, other].map(({ groups }) => groups.groupFor({ mark: markOf(run), subnet: null }, never)),
  );
  expect(new Set(ids).size).toBe(1);
  expect(await rules(run)).toEqual(["-1 itself", "tcp 22 203.0.113.7/32"]);
  const [made] = callsOf(cloud(), "CreateSecurityGroup");
  const tags = [1, 2, 3, 4].map((place) => [
    made?.get(`TagSpecification.1.Tag.${place}.Key`),
    made?.get(`TagSpecification.1.Tag.${place}.Value`),
  ]);
  expect(Object.fromEntries(tags)).toEqual({
    Name: `${run}-name`,
    "bootlevel:installation": "here",
    "bootlevel:run": run,
    "bootlevel:run-name": `${run}-name`,
  });
  expect(made?.get("GroupName")).toBe(`bootlevel-${run}`);
  cloud().setRule(null);
  await one.groups.groupFor({ mark: markOf(run), subnet: null }, never);
  expect(cloud().calls).toEqual([]);
  await other.groups.release(scope(run), never);
  await one.groups.release(scope(run), never);
  expect(await rules(run)).toEqual([]);
});

test("each network that a run uses has one, and a subnet tells its network", async () => {
  const run = newRun();
  const { groups, calls } = launcher();
  const vpc = await calls.defaultVpc(never);
  const first = await groups.groupFor({ mark: markOf(run), subnet: null }, never);
  const own = launcher();
  const subnet = await anySubnet(own.calls);
  cloud().setRule(null);
  expect(await own.groups.groupFor({ mark: markOf(run), subnet }, never)).toBe(first);
  expect(callsOf(cloud(), "DescribeSecurityGroups")[0]?.get("Filter.3.Value.1")).toBe(vpc?.VpcId);
  expect(callsOf(cloud(), "CreateSecurityGroup")).toEqual([]);
  await groups.release(scope(run), never);
});

async function anySubnet(calls: Ec2Calls): Promise<string> {
  const [machine] = machinesOf(await driver().launch([wish(newRun(), "any")], never));
  const api = (calls as unknown as { api: Ec2Api }).api;
  return (await api.machines([machine?.id ?? ""], never)).get(machine?.id ?? "")?.SubnetId ?? "";
}

test.each<[string, Rule]>([
  [
    "the answer to its making is lost",
    (action, _, nth) => (action === "CreateSecurityGroup" && nth === 1 ? "cut-after" : null),
  ],
  [
    "it dies before the first rule",
    (action, _, nth) => (action === "AuthorizeSecurityGroupIngress" && nth === 1 ? "cut-before" : null),
  ],
  [
    "it dies after the first rule",
    (action, _, nth) => (action === "AuthorizeSecurityGroupIngress" && nth === 1 ? "cut-after" : null),
  ],
  [
    "it dies before the second rule",
    (action, _, nth) => (action === "AuthorizeSecurityGroupIngress" && nth === 2 ? "cut-before" : null),
  ],
])("a launcher's half-made group is completed by the next: %s", async (_, rule) => {
  const run = newRun();
  cloud().setRule(rule);
  await expect(launcher().groups.groupFor({ mark: markOf(run), subnet: null }, never)).rejects.toThrow(LostReplyError);
  const next = launcher();
  await next.groups.groupFor({ mark: markOf(run), subnet: null }, never);
  expect(await rules(run)).toEqual(["-1 itself", "tcp 22 203.0.113.7/32"]);
  expect(callsOf(cloud(), "CreateSecurityGroup").length).toBeLessThanOrEqual(2);
  await next.groups.release(scope(run), never);
});

test("a group that another launcher makes meanwhile is found, also when the cloud shows it late", async () => {
  const run = newRun();
  await launcher().groups.groupFor({ mark: markOf(run), subnet: null }, never);
  let hidden = 2;
  cloud().rewrite = (answer) =>
    answer.includes("DescribeSecurityGroupsResponse") && (hidden -= 1) >= 0
      ? answer.replace(/<securityGroupInfo>[^]*<\/securityGroupInfo>/, "<securityGroupInfo/>")
      : answer;
  const { groups } = launcher();
  await groups.groupFor({ mark: markOf(run), subnet: null }, never);
  cloud().rewrite = null;
  expect(hidden).toBeLessThan(0);
  expect(await rules(run)).toEqual(["-1 itself", "tcp 22 203.0.113.7/32"]);
  await groups.release(scope(run), never);
});

test("rules wait for a group that the cloud does not show yet; a stranger's group of the same name is not touched", async () => {
  const run = newRun();
  cloud().setRule((action, _, nth) =>
    action === "AuthorizeSecurityGroupIngress" && nth <= 2 ? refusal("InvalidGroup.NotFound") : null,
  );
  const { groups, calls } = launcher();
  await groups.groupFor({ mark: markOf(run), subnet: null }, never);
  expect(await rules(run)).toHaveLength(2);
  await groups.release(scope(run), never);
  const vpc = await calls.defaultVpc(never);
  const stranger = await calls.createGroup(
    { name: `bootlevel-${run}`, description: "mine", vpc: vpc?.VpcId ?? "", tags: [{ Key: "a", Value: "b" }] },
    never,
  );
  cloud().setRule(null);
  await expect(groups.groupFor({ mark: markOf(run), subnet: null }, never)).rejects.toThrow(
    /has a security group "bootlevel-.*" that does not carry this run's tags: delete or rename it/,
  );
  expect(callsOf(cloud(), "AuthorizeSecurityGroupIngress")).toEqual([]);
  await calls.deleteGroup(stranger, never);
});

test("a command from another address opens the group for that one too, and says so", async () => {
  const run = newRun();
  await launcher().groups.groupFor({ mark: markOf(run), subnet: null }, never);
  const elsewhere = launcher({ allow_ssh_from: ["198.51.100.0/24", "2001:db8::1"] });
  const id = await elsewhere.groups.groupFor({ mark: markOf(run), subnet: null }, never);
  expect(elsewhere.said).toEqual([
    `security group ${id} of run ${run}-name now also allows SSH from 198.51.100.0/24, 2001:db8::1/128; before: 203.0.113.7/32`,
  ]);
  expect(await rules(run)).toEqual([
    "-1 itself",
    "tcp 22 198.51.100.0/24",
    "tcp 22 2001:db8::1/128",
    "tcp 22 203.0.113.7/32",
  ]);
  await elsewhere.groups.release(scope(run), never);
});

test("a command that launches nothing and finds its machines closed opens the group; one that only looks says so", async () => {
  const run = newRun();
  const { groups } = launcher();
  expect(await groups.admit(scope(run), "10.0.0.1", false, never)).toBeNull(); // a run without a group of its own
  const id = await groups.groupFor({ mark: markOf(run), subnet: null }, never);
  expect(await groups.runs("here", never)).toContain(run);
  expect(await groups.runs("elsewhere", never)).toEqual([]);
  expect(await groups.admit(scope(run), "10.0.0.1", false, never)).toBeNull();
  const towards: string[] = [];
  const elsewhere = launcher(
    {},
    {
      addressTowards: async (address) => {
        towards.push(address);
        return "198.51.100.9";
      },
    },
  );
  expect(await elsewhere.groups.admit(scope(run), "10.0.0.1", true, never)).toBe(
    `security group ${id} allows SSH from 203.0.113.7/32, and not from this computer (198.51.100.9/32); repair, rerun, reload and boot --resume add it`,
  );
  expect(await rules(run)).toEqual(["-1 itself", "tcp 22 203.0.113.7/32"]);
  expect(await elsewhere.groups.admit(scope(run), "10.0.0.1", false, never)).toBe(
    `security group ${id} of run ${run}-name now also allows SSH from 198.51.100.9/32; before: 203.0.113.7/32`,
  );
  expect(await rules(run)).toEqual(["-1 itself", "tcp 22 198.51.100.9/32", "tcp 22 203.0.113.7/32"]);
  expect(towards).toEqual(["10.0.0.1", "10.0.0.1"]);
  await elsewhere.groups.release(scope(run), never);
});

test("a plan that does not say where the launcher is: it is seen from the way to the cloud; where that does not tell, nothing is made, and the remedy is", async () => {
  const run = newRun();
  const asked = { mark: markOf(run), subnet: null };
  const towards: string[] = [];
  await launcher(
    {},
    {
      addressTowards: async (address) => {
        towards.push(address);
        return "10.1.2.3";
      },
    },
  ).groups.groupFor(asked, never);
  expect(towards).toEqual(["127.0.0.1"]);
  expect(await rules(run)).toEqual(["-1 itself", "tcp 22 10.1.2.3/32"]);
  await launcher().groups.release(scope(run), never);
  cloud().setRule(null);
  const { groups } = launcher(
    {},
    {
      addressTowards: async () => {
        throw new DriverError("this computer has no route to it");
      },
    },
  );
  for (const ask of [() => groups.groupFor(asked, never), () => groups.check(asked, never)]) {
    await expect(ask()).rejects.toThrow(
      /no security_groups are named.*this computer has no route to it; set allow_ssh_from in cloud "aws" to the address/,
    );
  }
  await expect(launcher({ allow_ssh_from: "my-house" }).groups.groupFor(asked, never)).rejects.toThrow(
    /"my-house" is not an address/,
  );
  expect(callsOf(cloud(), "CreateSecurityGroup")).toEqual([]);
});

test.each([
  [{ address: "private" }, undefined],
  [{}, false],
])(
  "machines that are reached inside of their network let in this computer's address there (%j, public_address %j)",
  async (options, publicAddress) => {
    const run = newRun();
    const towards: string[] = [];
    const { groups } = launcher(options, {
      addressTowards: async (address) => {
        towards.push(address);
        return "10.1.2.3";
      },
    });
    await groups.groupFor({ mark: markOf(run), subnet: null, publicAddress }, never);
    expect(towards).toEqual(["172.31.0.4"]);
    expect(await rules(run)).toEqual(["-1 itself", "tcp 22 10.1.2.3/32"]);
    await groups.release(scope(run), never);
  },
);

test("a group that gone machines still hold is deleted as soon as they let go; one that is never let go is told", async () => {
  const run = newRun();
  const { groups } = launcher();
  await groups.groupFor({ mark: markOf(run), subnet: null }, never);
  cloud().setRule((action, _, nth) =>
    action === "DeleteSecurityGroup"
      ? nth < 5
        ? refusal("DependencyViolation")
        : refusal("InvalidGroup.NotFound")
      : null,
  );
  await groups.release(scope(run), never);
  expect(callsOf(cloud(), "DeleteSecurityGroup")).toHaveLength(5);
  cloud().setRule((action) => (action === "DeleteSecurityGroup" ? refusal("DependencyViolation") : null));
  await expect(groups.release(scope(run), never)).rejects.toThrow(
    /security group sg-\w+ is still in use.*repeat the command/,
  );
  cloud().setRule(null);
  await driver().release?.(scope(run), never);
  expect(await rules(run)).toEqual([]);
});

test("who may not ask for groups can end runs all the same, and is told", async () => {
  const { groups, said } = launcher();
  cloud().setRule((action) =>
    action === "DescribeSecurityGroups" ? { status: 403, code: "UnauthorizedOperation", message: "no" } : null,
  );
  await groups.release(scope(newRun()), never);
  expect(said).toEqual([
    expect.stringMatching(/cannot see whether bootlevel created .*; if its plan names security_groups, there are none/),
  ]);
});

test("each change is permitted on its own: a launcher whose run is somebody else's changes nothing more", async () => {
  const run = newRun();
  const changes = () =>
    callsOf(cloud(), "CreateSecurityGroup").length + callsOf(cloud(), "AuthorizeSecurityGroupIngress").length;
  const permit = async () => {
    if (changes() >= 2) throw new Error("the run is somebody else's");
  };
  await expect(launcher(HERE, { permit }).groups.groupFor({ mark: markOf(run), subnet: null }, never)).rejects.toThrow(
    /somebody else's/,
  );
  expect(await rules(run)).toEqual(["tcp 22 203.0.113.7/32"]);
  await expect(launcher(HERE, { permit }).groups.release(scope(run), never)).rejects.toThrow(/somebody else's/);
  expect(callsOf(cloud(), "DeleteSecurityGroup")).toEqual([]);
  await launcher().groups.release(scope(run), never);
});

test("without a default network, and without the cloud, the error says it", async () => {
  cloud().rewrite = (answer) => answer.replace(/<vpcSet>[^]*<\/vpcSet>/, "<vpcSet/>");
  await expect(launcher().groups.groupFor({ mark: markOf(newRun()), subnet: null }, never)).rejects.toThrow(
    /no default network: write launch: \{ subnet/,
  );
  cloud().rewrite = null;
  await expect(
    launcher({ ...HERE, endpoint: "http://127.0.0.1:1" }).groups.groupFor(
      { mark: markOf(newRun()), subnet: null },
      never,
    ),
  ).rejects.toThrow(CloudUnreachableError);
});

test.each([
  ["203.0.113.7", "203.0.113.7/32"],
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["2001:db8::1", "2001:db8::1/128"],
  ["::/0", "::/0"],
])("%s is the range %s", (written, range) => {
  expect(rangeOf(written)).toBe(range);
});

test.each(["", "here", "10.0.0.0/33", "10.0.0/8", "1.2.3.4/5/6", "::1/129", "1.2.3.4/x"])(
  "%j is no range",
  (written) => {
    expect(() => rangeOf(written)).toThrow(/is not an address: write for example/);
  },
);

test("the way to a network is found without sending anything", async () => {
  expect(await localAddress("127.0.0.9")).toBe("127.0.0.1");
  expect([addressIn("10.0.1.0/24"), addressIn("10.0.1.255/32")]).toEqual(["10.0.1.4", "10.0.1.255"]);
});

test.each([
  ["203.0.113.9\n", 200, ["203.0.113.9/32", "10.0.0.1/32"], null],
  ["<html>", 200, null, /its answer is not an address; write your public address/],
  ["", 500, null, /did not answer: HTTP status 500/],
])("an address that is asked for: %j with status %d", async (answer, status, ranges, problem) => {
  const server: Server = createServer((_, reply) => {
    reply.writeHead(status).end(answer);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const asked = rangesOf([`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, "10.0.0.1"], never);
  if (problem === null) expect(await asked).toEqual(ranges);
  else await expect(asked).rejects.toThrow(problem);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
