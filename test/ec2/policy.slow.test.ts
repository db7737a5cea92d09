/** docs/ec2-policy.json: the rights that the driver needs, every one of them, and no other. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { DescribeSubnetsCommand, ImportKeyPairCommand, RunInstancesCommand } from "@aws-sdk/client-ec2";

import { IMAGE, openEc2Lab, REGION, type Ec2Lab, type LabInstance } from "../support/ec2Lab.js";
import { grantsIn, grantsOf, policyLayer, type Need, type Statement } from "../support/ec2Lab/policy.js";
import { imagesLayer } from "../support/ec2Images.js";
import type { Layer } from "../support/moto.js";

const ALL = (
  JSON.parse(readFileSync(new URL("../../docs/ec2-policy.json", import.meta.url), "utf8")) as {
    readonly Statement: readonly Statement[];
  }
).Statement;

/** No calls of the launcher's, so no proxy sees them: EC2 makes them itself, or asks, with the launcher's rights. */
const UNSEEN = {
  "ssm:GetParameters": "for an image of resolve:ssm:… in RunInstances",
  "iam:PassRole": "for an instance profile in RunInstances",
  "iam:CreateServiceLinkedRole": "for the first spot machine of an account",
};

let lab: Ec2Lab;
let policy: readonly Statement[] = ALL;
const needs: Need[] = [];

/** moto knows no placement groups. */
const placementGroups: Layer = async (call, next) => {
  if (call.action !== "DescribePlacementGroups") return next(call);
  return {
    status: 200,
    headers: { "content-type": "text/xml" },
    text: "<DescribePlacementGroupsResponse><placementGroupSet><item><groupName>spread</groupName><state>available</state></item></placementGroupSet></DescribePlacementGroupsResponse>",
  };
};

beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
  const [record, ...rest] = lab.cloud.layers as [Layer, ...Layer[]];
  lab.cloud.layers = [
    record,
    policyLayer(
      () => policy,
      lab.inventory,
      (need) => needs.push(need),
    ),
    placementGroups,
    ...rest,
    imagesLayer(lab.cloud.direct),
  ];
  await lab.inventory.client.send(
    new ImportKeyPairCommand({ KeyName: "ops", PublicKeyMaterial: Buffer.from((await lab.key()).publicKey) }),
  );
  await iam({ Action: "CreateRole", RoleName: "shop", AssumeRolePolicyDocument: "{}" });
  await iam({ Action: "CreateInstanceProfile", InstanceProfileName: "shop" });
  await iam({ Action: "AddRoleToInstanceProfile", InstanceProfileName: "shop", RoleName: "shop" });
}, 90_000);
afterEach(() => {
  policy = ALL;
});
afterAll(async () => lab.close());

/** Launches a machine that carries the installation's mark and is nobody's. @returns its id. */
async function strayLike(machine: LabInstance | undefined): Promise<string> {
  const Tags = Object.entries({ ...machine?.tags, "bootlevel:key": "nobody's", "bootlevel:batch": "none" }).map(
    ([Key, Value]) => ({ Key, Value }),
  );
  const { Instances } = await lab.inventory.client.send(
    new RunInstancesCommand({
      ImageId: IMAGE,
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: "instance", Tags }],
    }),
  );
  return Instances?.[0]?.InstanceId ?? "";
}

/** Asks the cloud's other half, past the proxy. */
async function iam(words: Record<string, string>): Promise<void> {
  const authorization =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none";
  const { ok, status } = await fetch(lab.cloud.direct, {
    method: "POST",
    headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...words, Version: "2010-05-08" }).toString(),
  });
  if (!ok) throw new Error(`${words["Action"] ?? ""}: ${status}`);
}

const plan = async (services: string): Promise<string> =>
  lab.plan(`plan: rights
images: { base: { aws: ${IMAGE}, recipe: { command: "true" } } }
clouds: { aws: { driver: ec2, region: ${REGION}, endpoint: "${lab.endpoint}", defaults: { image: "newest:amazon/amzn-ami-hvm-*", size: [m5.large, m5.xlarge], ssh: { identity: "${(await lab.key()).identity}", agent: false, user: admin } } } }
defaults: { cloud: aws }
levels: [ { name: one, services: ${services} } ]
`);
const DOES = 'boot: { command: "true" }';

test("everything that makes calls works with this policy, and needs every part of it", async () => {
  const { Subnets = [] } = await lab.inventory.client.send(new DescribeSubnetsCommand({}));
  const folder = await plan(`{
    web: { replicas: 3, ${DOES}, launch: { subnet: ${Subnets[0]?.SubnetId ?? ""}, spot: true, placement_group: spread } },
    console: { ${DOES}, ssh: { host_keys: console }, launch: { zone: ${REGION}a, key_name: ops } },
    parameter: { ${DOES}, image: "ssm:/aws/service/debian/release/13/latest/amd64", launch: { instance_profile: shop, public_address: true } } }`);
  expect(await lab.call(["validate", folder, "--online"])).toMatchObject({ code: 0, stderr: "" });
  expect(await lab.json(["boot", folder, "--name", "all"])).toMatchObject({ code: 0, document: { state: "ready" } });
  await lab.change(
    "terminate",
    (await lab.live()).filter(({ tags }) => tags["bootlevel:service"] === "console").map(({ id }) => id),
  );
  expect(await lab.json(["status", "all"])).toMatchObject({ code: 1 });
  // A machine that is gone has lost its tags: a right to end machines with a tag only would be none for it.
  expect(await lab.json(["repair", "all"])).toMatchObject({ code: 0, document: { state: "ready" } });
  expect(await lab.json(["history", "all"])).toMatchObject({ code: 0 });
  const stray = await strayLike((await lab.live())[0]);
  expect(await lab.json(["clean", "--all", "--yes"])).toMatchObject({ code: 0 });
  expect((await lab.live()).map(({ id }) => id)).not.toContain(stray);
  expect(await lab.json(["terminate", "all"])).toMatchObject({ code: 0 });
  expect(await lab.json(["image", "build", "base", "--cloud", "aws", "--plan", folder])).toMatchObject({
    code: 0,
    document: { image: { state: "available" } },
  });
  expect(await lab.json(["image", "remove", "base", "--cloud", "aws", "--yes"])).toMatchObject({ code: 0 });

  expect(lab.calls().filter(({ code }) => code === "UnauthorizedOperation")).toEqual([]);
  const called = new Set(lab.calls().map(({ action }) => `ec2:${action}`));
  expect([...called, ...Object.keys(UNSEEN)].sort()).toEqual(
    [...new Set(grantsIn(ALL).map(({ action }) => action))].sort(),
  );
  const used = new Set(needs.flatMap((need) => grantsOf(ALL, need)).map((grant) => JSON.stringify(grant)));
  expect(grantsIn(ALL).filter((grant) => !used.has(JSON.stringify(grant)))).toEqual([]);
}, 180_000);

/** The policy's statements of some purposes, without one. */
const some = (purposes: RegExp, without = ""): Statement[] =>
  ALL.filter(({ Sid }) => purposes.test(Sid) && Sid !== without);

/** Calls the command with some of the policy. @returns all that it said, in one line. */
async function told(given: readonly Statement[], words: readonly string[]): Promise<string> {
  policy = given;
  const { stdout, stderr } = await lab.call(words);
  policy = ALL;
  return (stdout + stderr).replace(/\s+/g, " ");
}

const MADE_GROUP = /^EveryPlan|^NoSecurityGroupsNamed/;
const HERE = "arn:aws:ec2:eu-central-1:123456789012:";
/**
 * A statement; what a service of a plan says; the purposes that such a plan has; what is refused without the statement.
 */
const AT_LAUNCH: readonly [string, string, RegExp, string][] = [
  ["EveryPlanSeesMachines", `image: ${IMAGE}`, MADE_GROUP, "ec2:DescribeInstances because"],
  ["EveryPlanLaunchesMarkedMachines", `image: ${IMAGE}`, MADE_GROUP, `ec2:RunInstances on resource: ${HERE}instance/`],
  [
    "EveryPlanLaunchesFromThese",
    `image: ${IMAGE}`,
    MADE_GROUP,
    "ec2:RunInstances on resource: arn:aws:ec2:eu-central-1::image/",
  ],
  ["EveryPlanMarksWhatItLaunches", `image: ${IMAGE}`, MADE_GROUP, `ec2:CreateTags on resource: ${HERE}instance/`],
  ["NoSecurityGroupsNamedSeesNetworks", `image: ${IMAGE}`, MADE_GROUP, "ec2:DescribeVpcs because"],
  [
    "NoSecurityGroupsNamedMakesMarkedOnes",
    `image: ${IMAGE}`,
    MADE_GROUP,
    `ec2:CreateSecurityGroup on resource: ${HERE}security-group/`,
  ],
  [
    "NoSecurityGroupsNamedMakesThemIn",
    `image: ${IMAGE}`,
    MADE_GROUP,
    `ec2:CreateSecurityGroup on resource: ${HERE}vpc/`,
  ],
  [
    "NoSecurityGroupsNamedMarksThem",
    `image: ${IMAGE}`,
    MADE_GROUP,
    `ec2:CreateTags on resource: ${HERE}security-group/`,
  ],
  [
    "NoSecurityGroupsNamedChangesItsOwn",
    `image: ${IMAGE}`,
    MADE_GROUP,
    `ec2:AuthorizeSecurityGroupIngress on resource: ${HERE}security-group/`,
  ],
  [
    "ImageByNewest",
    'image: "newest:amazon/amzn-ami-hvm-*"',
    /^EveryPlan|^NoSecurityGroupsNamed|^ImageByNewest/,
    "ec2:DescribeImages because",
  ],
  [
    "ImageBySsm",
    'image: "ssm:/my/image"',
    /^EveryPlan|^NoSecurityGroupsNamed|^ImageBySsm/,
    "ssm:GetParameters on resource: arn:aws:ssm:eu-central-1::parameter/my/image",
  ],
  [
    "InstanceProfile",
    `image: ${IMAGE}, launch: { instance_profile: shop }`,
    /^EveryPlan|^NoSecurityGroupsNamed|^InstanceProfile/,
    "iam:PassRole on resource: arn:aws:iam::",
  ],
  [
    "SpotForTheFirstTime",
    `image: ${IMAGE}, launch: { spot: true }`,
    /^EveryPlan|^NoSecurityGroupsNamed|^SpotForTheFirstTime/,
    "iam:CreateServiceLinkedRole on resource: arn:aws:iam::",
  ],
];

test.each(AT_LAUNCH)(
  "without %s, a launch is refused, and the message names the right",
  async (sid, words, purposes, missing) => {
    const folder = await plan(`{ web: { ${words}, ${DOES} } }`);
    expect(await told(some(purposes, sid), ["boot", folder])).toContain(`is not authorized to perform: ${missing}`);
  },
);

test("a plan with security groups of its own needs what every plan needs; without the rights to name machines and to end them, that is told", async () => {
  const [group] = await lab.inventory.securityGroups();
  const folder = await plan(
    `{ web: { image: ${IMAGE}, replicas: 2, ${DOES}, launch: { security_groups: [${group?.GroupId ?? ""}] } } }`,
  );
  expect(await told(some(/^EveryPlan/, "EveryPlanNamesItsMachines"), ["boot", folder, "--name", "own"])).toMatch(
    /has no tags of its own yet: .*not authorized to perform: ec2:CreateTags on resource: .*instance\/i-.* ready/,
  );
  expect(await told(some(/^EveryPlan/, "EveryPlanEndsItsMachines"), ["terminate", "own", "--yes"])).toContain(
    "is not authorized to perform: ec2:TerminateInstances",
  );
  expect(await told(some(/^EveryPlan/), ["terminate", "own", "--yes"])).not.toMatch(
    /perform: (?!ec2:DescribeSecurityGroups)/,
  );
  expect((await lab.live()).filter(({ tags }) => tags["bootlevel:run-name"] === "own")).toEqual([]);
});

test("without the right to read consoles, nobody is reached; without the right to delete the group that was made, that is told", async () => {
  const folder = await plan(`{ web: { image: ${IMAGE}, ssh: { host_keys: console }, ${DOES} } }`);
  lab.forgetCalls();
  expect(await told(some(MADE_GROUP), ["boot", folder, "--name", "console"])).toMatch(
    /console of machine i-\w+ cannot be read.*not authorized to perform: ec2:GetConsoleOutput/,
  );
  expect(new Set(lab.calls("GetConsoleOutput").map(({ code }) => code))).toEqual(new Set(["UnauthorizedOperation"]));
  expect(
    await told(some(MADE_GROUP, "NoSecurityGroupsNamedChangesItsOwn"), ["terminate", "console", "--yes"]),
  ).toContain("is not authorized to perform: ec2:DeleteSecurityGroup");
  policy = some(MADE_GROUP);
  expect(await lab.call(["terminate", "console", "--yes"])).toMatchObject({ code: 0, stderr: "" });
});

test("without the rights to ask, validate --online tells what it could not check", async () => {
  const folder = await plan(`{ web: { image: ${IMAGE}, ${DOES} } }`);
  expect(await told(some(/^EveryPlan/), ["validate", folder, "--online"])).toMatch(
    /the check is incomplete: .*not authorized to perform: ec2:DescribeInstanceTypes/,
  );
});
