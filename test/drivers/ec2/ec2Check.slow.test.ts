/** Launches that are checked before they are made: by the driver, and by `validate --online`. */
import { expect, test } from "@jest/globals";

import { CloudUnreachableError, type Driver, type LaunchRequest } from "../../../src/drivers/contract/driver.js";
import type { Ec2Api } from "../../../src/drivers/ec2/api.js";
import { CheckCalls } from "../../../src/drivers/ec2/checkCalls.js";
import { never } from "../../support/drivers.js";
import { newRun, useCloud, wish } from "../../support/ec2.js";
import { installation } from "../../support/installation.js";
import { callsOf, type Rule } from "../../support/moto.js";

const { cloud, driver } = useCloud();
const HERE = { allow_ssh_from: "203.0.113.7" };

/** Calls that only ask; RunInstances counts if it is a dry run. */
const changing = () =>
  cloud().calls.filter((call) => !/^Describe/.test(call.get("Action") ?? "") && call.get("DryRun") !== "true");

async function check(requests: readonly LaunchRequest[], own: Driver = driver(HERE)): Promise<Record<string, string>> {
  const problems = (await own.check?.(requests, never)) ?? [];
  return Object.fromEntries(
    problems.map(({ keys, message }) => [message, keys.map((key) => key.split(".")[1]).join(",")]),
  );
}

const refused =
  (code: string, message: string): Rule =>
  (action) =>
    action === "RunInstances" ? { status: 403, code, message } : null;

test("a launch that could work has no problem, and nothing was made; equal launches are asked about once", async () => {
  const run = newRun();
  const requests = Array.from({ length: 20 }, (_, index) =>
    wish(run, `web${index}`, { fallbackSizes: ["m5.xlarge"], launch: { zone: ["eu-central-1a", "eu-central-1b"] } }),
  );
  const [image = ""] = await images();
  cloud().setRule(null);
  expect(await check(requests.map((request) => ({ ...request, image })))).toEqual({});
  expect(changing()).toEqual([]);
  expect(
    callsOf(cloud(), "RunInstances").map((call) => [call.get("InstanceType"), call.get("DryRun"), call.get("ImageId")]),
  ).toEqual([
    ["m5.large", "true", image],
    ["m5.xlarge", "true", image],
  ]);
  expect(cloud().calls.length).toBeLessThan(15);
});

/** Ids of images that the cloud has, for the PC's processors. */
async function images(): Promise<string[]> {
  let text = "";
  cloud().rewrite = (answer) => {
    if (answer.includes("DescribeImagesResponse")) text = answer;
    return answer;
  };
  await driver().launch([wish(newRun(), "x", { image: "newest:amazon/amzn2-ami-*", size: null })], never);
  await driver().check?.([wish(newRun(), "x", { image: "newest:amazon/amzn-ami-hvm*" })], never);
  cloud().rewrite = null;
  return [...text.matchAll(/<imageId>(ami-\w+)</g)].map(([, id = ""]) => id);
}

test("everything that does not exist is told at once, each once, with all who want it", async () => {
  const run = newRun();
  const [image = ""] = await images();
  cloud().setRule(null);
  const bad = { security_groups: ["sg-0000"], subnet: ["subnet-0000"], key_name: "nobody" };
  const problems = await check([
    wish(run, "a", { image: "ami-00000000000000000", launch: { security_groups: ["sg-0000"] } }),
    wish(run, "b", { image: "ami-00000000000000000", launch: bad }),
    wish(run, "c", { image: "newest:amazon/nothing-is-named-so", size: "m5.huge", fallbackSizes: ["t9.nano"] }),
    wish(run, "d", { image, size: "m5.huge", launch: { zone: "eu-central-1z" } }),
    wish(run, "e", { image: null }),
    wish(run, "f", { image, size: "m6g.large" }),
    wish(run, "g", { image, launch: { disks: [{ device: "sda", size_gb: "much" }] } }),
    wish(run, "h", { image, contact: { authorizedKeys: [], hostKey: true }, launch: { user_data: "hello" } }),
  ]);
  expect(problems).toEqual({
    "the region has no image ami-00000000000000000, or it is not shared with you: images have another id in each region":
      "a,b",
    'amazon has no image in this region with a name like "nothing-is-named-so"': "c",
    "the region has no instance type m5.huge": "c,d",
    "the region has no instance type t9.nano": "c",
    "the region has no zone eu-central-1z, or it is not open to you": "d",
    "the region has no security group sg-0000": "a,b",
    "the region has no subnet subnet-0000": "b",
    'the region has no key pair "nobody": create it there, or remove key_name': "b",
    "it has no image: write for example image: ami-0a1b2c3d": "e",
    [`image ${image} is for x86_64, and m6g.large takes arm64 only`]: "f",
    "launch of g: launch/disks/0/size_gb must be integer": "g",
    [Object.keys(problems).find((message) => message.startsWith("user_data has no format that cloud-init accepts")) ??
    "user_data"]: "h",
  });
  expect(callsOf(cloud(), "RunInstances")).toEqual([]);
  expect(changing()).toEqual([]);
});

test("a size that no zone of the plan offers, and a zone that offers no size, are told", async () => {
  const [run, [image = ""]] = [newRun(), await images()];
  cloud().rewrite = (answer) =>
    answer.includes("DescribeInstanceTypeOfferingsResponse")
      ? answer.replace(/<item>(?:(?!<\/item>)[^])*<\/item>/g, (item) =>
          item.includes(">m5.large<") && item.includes(">eu-central-1a<") ? "" : item,
        )
      : answer;
  const launch = (zone: unknown, ...fallbackSizes: string[]) =>
    wish(run, `s${JSON.stringify(zone).replace(/\W/g, "")}${fallbackSizes.length}`, {
      image,
      launch: { zone },
      fallbackSizes,
    });
  const problems = await check([
    launch("eu-central-1a"),
    launch(["eu-central-1a", "eu-central-1b"]),
    launch(["eu-central-1a", "eu-central-1b"], "m5.xlarge"),
  ]);
  cloud().rewrite = null;
  expect(problems).toEqual({
    "m5.large is not offered in eu-central-1a, but in eu-central-1b, eu-central-1c": "seucentral1a0",
    "eu-central-1a offers none of the sizes m5.large": "seucentral1aeucentral1b0",
  });
});

test("what only the attempt would tell is told by one that is not made; amazon's kilobytes are left out", async () => {
  const [run, [image = ""]] = [newRun(), await images()];
  cloud().setRule(
    refused(
      "UnauthorizedOperation",
      "You are not authorized to perform this operation. Encoded authorization failure message: AbC-123_x",
    ),
  );
  expect(await check([wish(run, "a", { image }), wish(run, "b", { image })])).toEqual({
    "RunInstances: UnauthorizedOperation: You are not authorized to perform this operation. (the credentials are valid, but may not do this; to decode the message: aws sts decode-authorization-message --encoded-message …)":
      "a,b",
  });
  cloud().setRule(refused("InvalidParameterValue", "Value (none) for parameter iamInstanceProfile.name is invalid"));
  expect(await check([wish(run, "a", { image, launch: { instance_profile: "none" } })])).toEqual({
    "RunInstances: InvalidParameterValue: Value (none) for parameter iamInstanceProfile.name is invalid (instance_profile: names a profile, not a role; check its name, and wait some seconds after creating it)":
      "a",
  });
  cloud().setRule(refused("InsufficientInstanceCapacity", "full"));
  expect(await check([wish(run, "a", { image })])).toEqual({});
});

test("without security groups, and where nobody tells the launcher's address, that is told before anything is made", async () => {
  const [run, [image = ""]] = [newRun(), await images()];
  cloud().setRule(null);
  const problems = await check(
    [wish(run, "a", { image }), wish(run, "b", { image })],
    driver({ allow_ssh_from: "http://127.0.0.1:1/" }),
  );
  expect(Object.entries(problems)).toEqual([
    [
      expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:1\/ was asked for this computer's address, but did not answer: .*allow_ssh_from/,
      ),
      "a,b",
    ],
  ]);
  expect(changing()).toEqual([]);
});

test("a right to ask that is missing is no mistake: the attempt tells; no cloud is another matter", async () => {
  const [run, [image = ""]] = [newRun(), await images()];
  const said: string[] = [];
  const own = driver(HERE, { warn: (message) => said.push(message) });
  cloud().setRule((action) =>
    /^Describe(?!Vpcs)/.test(action) ? { status: 403, code: "UnauthorizedOperation", message: `no ${action}` } : null,
  );
  expect(await check([wish(run, "a", { image, launch: { key_name: "x" } })], own)).toEqual({});
  expect(said).toContainEqual(
    expect.stringMatching(/^the check is incomplete: DescribeInstanceTypes: .*no DescribeInstanceTypes/),
  );
  expect(callsOf(cloud(), "RunInstances")).toHaveLength(1);
  await expect(
    driver({ ...HERE, endpoint: "http://127.0.0.1:1" }).check?.([wish(run, "a", { image })], never),
  ).rejects.toThrow(CloudUnreachableError);
});

test("a cloud that launches in earnest loses the machine at once", async () => {
  const ended: string[] = [];
  const call = async () => ({ Instances: [{ InstanceId: "i-1" }] });
  const calls = new CheckCalls({
    call: call as unknown as Ec2Api["call"],
    terminate: async (ids) => {
      ended.push(...ids);
    },
  });
  await expect(calls.dryRun({ MinCount: 1, MaxCount: 1 }, never)).rejects.toThrow(
    "does not support DryRun: it launched i-1, which was terminated at once",
  );
  expect(ended).toEqual(["i-1"]);
});

const env = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
};
const plan = (endpoint: string, image: string) => `plan: shop
variables: { big: m5.huge }
clouds:
  aws: { driver: ec2, region: eu-central-1, endpoint: "${endpoint}", allow_ssh_from: 203.0.113.7, defaults: { image: ${image}, size: m5.large } }
  here: { driver: local }
levels:
  - services:
      db: { cloud: aws }
      log: { cloud: here }
  - services:
      web: { cloud: aws, size: [m5.large, "\${var.big}"], launch: { tags: { db: "\${run.name}" } } }
      api: { cloud: aws, replicas: 30, size: "\${var.big}" }
      edge: { cloud: aws, launch: { tags: { db: "\${db.instance_id}" } } }
`;

test("validate --online prints problems like mistakes, and what was not checked; right values make them go", async () => {
  const own = installation();
  const [image = ""] = await images();
  cloud().setRule(null);
  const folder = own.plan(plan(cloud().endpoint, image));
  const wrong = await own.call(["validate", folder, "--online"], { env, cwd: folder });
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr).toContain(
    "launch.yaml:11:7: the region has no instance type m5.huge (web, api)\n   11 |       web: {",
  );
  expect(wrong.stderr).toContain('not checked: edge on cloud "aws": it needs values of other services');
  const json = await own.json(["validate", folder, "--online"], { env });
  expect([json.code, json.document.error]).toMatchObject([
    2,
    { exitCode: 2, mistakes: [{ line: 11, column: 7, message: "the region has no instance type m5.huge (web, api)" }] },
  ]);
  const right = await own.call(["validate", folder, "--online", "--var", "big=m5.xlarge"], { env });
  expect(right).toMatchObject({ code: 0, stderr: "" });
  expect(right.stdout).toMatch(
    /Cloud "aws" would launch db, web, api\.\nNot checked: edge on cloud "aws": .*\nNot checked: log on cloud "here": its driver \("local"\) cannot tell\.\n$/,
  );
  expect((await own.json(["validate", folder, "--online", "--var", "big=m5.xlarge"], { env })).document).toMatchObject({
    valid: true,
    online: {
      checked: [{ cloud: "aws", services: ["db", "web", "api"] }],
      unchecked: [{ services: ["edge"] }, { services: ["log"] }],
    },
  });
  expect(changing()).toEqual([]);
  const nowhere = own.plan(plan("http://127.77.7.7:9", image), {}, "nowhere");
  expect(await own.call(["validate", nowhere, "--online"], { env })).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('cloud "aws" cannot be reached'),
  });
  expect(await own.call(["validate", nowhere], { env })).toMatchObject({ code: 0 });
});
