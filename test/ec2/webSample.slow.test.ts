/** The web shop for EC2 (plans/ec2-web) as it is, from its first check to its end. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { copyFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { openEc2Lab, type Ec2Lab } from "../support/ec2Lab.js";

const PLAN = fileURLToPath(new URL("../../plans/ec2-web", import.meta.url));

let lab: Ec2Lab;
/** The environment names the cloud, as it would name a proxy of it: the plan itself speaks of Amazon. */
let env: Record<string, string>;
beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
  env = { AWS_ENDPOINT_URL_EC2: lab.endpoint };
  // The key that the operator's ssh would take.
  const { identity } = await lab.key();
  const folder = lab.network.outside("/mnt/operator/.ssh");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const end of ["", ".pub"]) copyFileSync(lab.network.outside(identity + end), `${folder}/id_ed25519${end}`);
}, 90_000);
afterAll(async () => lab.close());

test("without a network, the plan has no mistake", async () => {
  expect(await lab.call(["validate", PLAN])).toMatchObject({ code: 0, stderr: "" });
  expect(lab.calls()).toEqual([]);
});

test("it is checked, boots, is healthy, and leaves nothing", async () => {
  // This cloud has no Debian. What a machine is made of, it does not heed: the lab's are this computer's Debian, with
  // its Node.js.
  const image = ["--var", "image=newest:amazon/amzn-ami-hvm-*"];
  const before = (await lab.inventory.securityGroups()).length;
  expect(await lab.call(["validate", PLAN, "--online", ...image], { env })).toMatchObject({ code: 0, stderr: "" });

  expect(await lab.json(["boot", PLAN, "--name", "shop", ...image], { env })).toMatchObject({
    code: 0,
    document: { state: "ready" },
  });
  const machines = await lab.live();
  expect(machines.map(({ tags, type }) => [tags["Name"], tags["system"], type])).toEqual(
    ["db", "web-1", "web-2", "balancer"].map((service) => [`shop/${service}`, "web-shop", "t3.micro"]),
  );
  const groups = (await lab.inventory.securityGroups()).filter(({ GroupName }) => GroupName?.startsWith("bootlevel-"));
  expect(new Set(machines.flatMap((machine) => machine.groups))).toEqual(new Set(groups.map(({ GroupId }) => GroupId)));
  // Whoever is not one of them reaches nothing but SSH.
  expect(
    groups.flatMap(({ IpPermissions = [] }) =>
      IpPermissions.map(({ IpProtocol, FromPort, IpRanges = [] }) => [IpProtocol, FromPort ?? -1, IpRanges.length]),
    ),
  ).toEqual(
    expect.arrayContaining([
      ["tcp", 22, 1],
      ["-1", -1, 0],
    ]),
  );
  expect(groups.flatMap(({ IpPermissions = [] }) => IpPermissions)).toHaveLength(2);

  expect(await lab.json(["status", "shop"], { env })).toMatchObject({ code: 0, document: { healthy: true } });
  expect(await lab.json(["terminate", "shop"], { env })).toMatchObject({ code: 0 });
  expect(await lab.live()).toEqual([]);
  expect(await lab.inventory.securityGroups()).toHaveLength(before);
});
