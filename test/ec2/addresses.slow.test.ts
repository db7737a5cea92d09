/**
 * Machines that get another address, and machines that are there twice: what every command makes of them, on machines
 * that really answer.
 */
import { RunInstancesCommand } from "@aws-sdk/client-ec2";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { IMAGE, openEc2Lab, type Ec2Lab, type LabInstance } from "../support/ec2Lab.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
}, 90_000);
afterEach(async () => {
  lab.faults.clear();
});
afterAll(async () => lab.close());

const shop = (key: { readonly identity: string }): string => `plan: shop
${lab.head(`ssh: { identity: "${key.identity}", agent: false, user: admin, connect_timeout: 20s }`)}defaults: { cloud: aws }
levels:
  - name: storage
    services:
      db:
        boot: { command: 'echo booted >> /mnt/db-boots' }
        ready: { command: "true" }
        terminate: { command: "echo ended >> /mnt/db-ends" }
  - name: web
    services:
      web:
        boot: { command: 'echo "\${db.host}" > /mnt/web-knows' }
        ready: { command: "true" }
`;

const serviceOf = ({ tags }: LabInstance) => tags["bootlevel:service"] ?? "";
const live = async (service: string): Promise<LabInstance> => {
  const [machine] = (await lab.live()).filter((one) => serviceOf(one) === service);
  if (machine === undefined) throw new Error(`${service} has no machine`);
  return machine;
};

/** Stops a machine and starts it again. @returns its new address. */
async function move(id: string): Promise<string> {
  await lab.change("stop", [id]);
  await lab.change("start", [id]);
  return (await lab.live()).find((machine) => machine.id === id)?.publicAddress ?? "";
}

test("a machine that was stopped, got another address and was started again is followed by every command, and keeps its disk", async () => {
  const folder = lab.plan(shop(await lab.key()));
  expect(await lab.json(["boot", folder, "--name", "moved"])).toMatchObject({ code: 0 });
  const [db, web] = [await live("db"), await live("web")];
  expect(lab.fact("web-knows")).toBe(`${db.publicAddress ?? ""}\n`);
  const address = await move(db.id);
  expect(address).not.toBe(db.publicAddress);

  const status = await lab.json(["status", "moved"]);
  expect([status.code, status.document.services]).toMatchObject([
    0,
    [
      {
        service: "db",
        healthy: true,
        host: address,
        message: `its machine ${db.id} has the address ${address} now, before ${db.publicAddress ?? ""}; bootlevel repair moved tells the services that refer to it`,
      },
      { service: "web", healthy: true, message: "" },
    ],
  ]);
  expect(await lab.call(["ssh", "moved", "db", "hostname -I || echo in"])).toMatchObject({ code: 0 });

  const planned = await lab.json(["repair", "moved", "--dry-run"]);
  expect(planned.document.tasks).toMatchObject([{ service: "db", stage: "verify" }]);
  const repaired = await lab.json(["repair", "moved"]);
  expect(repaired).toMatchObject({
    code: 0,
    document: { state: "ready", tasks: [{ service: "db", stage: "verify" }] },
  });
  expect((await lab.live()).map(({ id }) => id).sort()).toEqual([db.id, web.id].sort());
  expect(lab.fact("db-boots")).toBe("booted\n");
  expect(lab.fact("web-knows")).toBe(`${address}\n`);
  expect(await lab.json(["repair", "moved"])).toMatchObject({ code: 0, document: { tasks: [] } });

  const again = await move(db.id);
  expect(await lab.json(["reload", "moved", folder, "--yes"])).toMatchObject({ code: 0 });
  expect(await lab.json(["rerun", "moved", "web"])).toMatchObject({ code: 0 });
  expect(lab.fact("web-knows")).toBe(`${again}\n`);
  await move(db.id);
  expect(await lab.json(["terminate", "moved"])).toMatchObject({ code: 0 });
  expect(lab.fact("db-ends")).toBe("ended\n");
  expect(await lab.live()).toEqual([]);
}, 180_000);

test("a second machine of one launch request is reported by status and ended by clean", async () => {
  const folder = lab.plan(shop(await lab.key()));
  expect(await lab.json(["boot", folder, "--name", "twice"])).toMatchObject({ code: 0 });
  const db = await live("db");
  const Tags = Object.entries(db.tags).map(([Key, Value]) => ({ Key, Value }));
  const { Instances = [] } = await lab.inventory.client.send(
    new RunInstancesCommand({
      ImageId: IMAGE,
      InstanceType: "m5.large",
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: "instance", Tags }],
    }),
  );
  const second = Instances[0]?.InstanceId ?? "";
  const message = `it was launched twice: service db of run twice has ${db.id}`;
  expect(await lab.json(["status", "twice"])).toMatchObject({
    code: 1,
    document: { healthy: false, orphans: [{ service: "db", cloud: "aws", id: second, message }] },
  });
  expect((await lab.call(["status", "twice"])).stdout.replace(/\s+/g, " ")).toContain(
    `Orphaned machine ${second} in cloud "aws": ${message}. bootlevel clean twice ends it.`,
  );
  const nagios = await lab.call(["status", "twice", "--nagios"]);
  expect([nagios.code, nagios.stdout]).toEqual([
    1,
    expect.stringMatching(/^BOOTLEVEL WARNING - 2 of 2 services of twice ready; 1 orphaned machine, such as i-/),
  ]);
  expect(await lab.json(["clean", "twice", "--yes"])).toMatchObject({
    document: { found: [{ id: second, why: message }], ended: [{ id: second }] },
  });
  expect((await lab.live()).map(serviceOf).sort()).toEqual(["db", "web"]);
  expect(await lab.json(["status", "twice"])).toMatchObject({ code: 0, document: { healthy: true, orphans: [] } });
  expect(await lab.json(["terminate", "twice"])).toMatchObject({ code: 0 });
}, 120_000);
