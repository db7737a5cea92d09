/**
 * Plans on an EC2 cloud, by the command: the cloud's machines are made by moto, and what answers at their address is a
 * real sshd.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { never } from "../../support/drivers.js";
import { useCloud } from "../../support/ec2.js";
import { eventually } from "../../support/eventually.js";
import { installation } from "../../support/installation.js";
import { callsOf } from "../../support/moto.js";
import { startSshHost, type SshHost } from "../../support/sshHost.js";

const { cloud, driver } = useCloud();
let host: SshHost;
beforeAll(async () => {
  host = await startSshHost();
  // The addresses that the cloud gives lead nowhere, or to somebody else.
  cloud().rewrite = (answer) => answer.replace(/<(privateIpAddress|ipAddress)>[^<]*</g, `<$1>${host.address}<`);
});
afterAll(async () => host.stop());

const env = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
};
const plan = (command: string) => `plan: shop
clouds:
  aws:
    driver: ec2
    region: eu-central-1
    endpoint: ${cloud().endpoint}
    defaults: { image: ami-0123456789abcdef0, size: m5.large, ssh: { host_keys: accept-new, identity: '${host.identity}', agent: false, port: ${host.port}, user: ${host.user} } }
defaults: { cloud: aws }
levels:
  - { name: one, services: { db: { boot: { command: '${command}' } } } }
`;
/** What the cloud has of the installation that asked it for machines. */
const machines = async () => {
  const [call] = callsOf(cloud(), "RunInstances");
  const [tag] = [...(call ?? [])].find(([, value]) => value === "bootlevel:installation") ?? [""];
  return driver().list({ installation: call?.get(tag.replace(/Key$/, "Value")) ?? "none", run: null }, never);
};

test("a plan boots, is healthy, and is terminated; the cloud has its machine in between", async () => {
  const own = installation();
  const booted = await own.json(
    ["boot", own.plan(plan(`echo "\${self.instance_id}" > "${own.facts}/id"`)), "--name", "shop"],
    { env },
  );
  expect(booted).toMatchObject({ code: 0, document: { state: "ready" } });
  expect(await machines()).toMatchObject([
    { id: own.fact("id")?.trim(), state: "running", host: host.address, mark: { runName: "shop", service: "db" } },
  ]);
  expect((await own.json(["status", "shop"], { env })).document).toMatchObject({ healthy: true });
  expect(await own.json(["terminate", "shop"], { env })).toMatchObject({ code: 0 });
  expect(await machines()).toEqual([]);
});

test("a launcher killed while the cloud makes its machine: resumed, the run has that machine and no second one", async () => {
  const own = installation();
  const folder = own.plan(plan("true"));
  const running = own.start(["boot", folder, "--name", "killed"], { env });
  cloud().setRule((action) => (action === "RunInstances" ? "cut-after" : null));
  await eventually(
    "a machine is asked for",
    async () => callsOf(cloud(), "RunInstances").length > 0 && (await machines()).length > 0,
  );
  running.child.kill("SIGKILL");
  await running.ended;
  const made = await machines();
  expect(made).toHaveLength(1);
  const resumed = await own.json(["boot", "--resume", "killed"], { env });
  expect(resumed).toMatchObject({ code: 0, document: { state: "ready" } });
  expect((await machines()).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
  expect(await own.json(["terminate", "killed"], { env })).toMatchObject({ code: 0 });
  expect(await machines()).toEqual([]);
});

test("a cloud that is not there ends the command with the code for it", async () => {
  const own = installation();
  const folder = own.plan(plan("true").replace(cloud().endpoint, "http://127.77.7.7:9"));
  const { code, document } = await own.json(["boot", folder, "--name", "nowhere"], { env });
  expect([code, document.failures[0].message]).toEqual([
    4,
    expect.stringMatching(/cloud "aws" cannot be reached: .*check the network/),
  ]);
  expect(await own.json(["terminate", "nowhere"], { env })).toMatchObject({ code: 4 });
});
