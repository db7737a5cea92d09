/**
 * Plans on machines of EC2 from their launch to their end, by the command, with programs on machines that really
 * answer.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, type Ec2Lab, type LabInstance } from "../support/ec2Lab.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
}, 90_000);
afterEach(async () => {
  lab.faults.clear();
});
afterAll(async () => lab.close());

/** Two levels: what the first one says reaches the second one. */
const shop = (key: { readonly identity: string; readonly publicKey: string }): string => `plan: shop
${lab.head(`ssh: { identity: "${key.identity}", agent: false, user: admin }`)}defaults: { cloud: aws }
levels:
  - name: storage
    services:
      db:
        outputs: [word]
        boot: { command: 'echo "word=from-$(id -un)" >> "$BOOTLEVEL_OUTPUT"' }
  - name: web
    services:
      web:
        replicas: 3
        boot: { command: 'echo "\${db.word} at \${db.private_host}" > /mnt/\${self.instance_id}; touch ~/booted' }
        ready: { command: "test -e ~/booted", every: 1s, timeout: 20s }
`;

const services = (machines: readonly LabInstance[]) => machines.map(({ tags }) => tags["bootlevel:service"]).sort();

test("a plan of two levels boots on four machines, is healthy, is mended when one dies, and is terminated", async () => {
  const folder = lab.plan(shop(await lab.key()));
  expect(await lab.json(["boot", folder, "--name", "shop"])).toMatchObject({ code: 0, document: { state: "ready" } });
  const machines = await lab.live();
  expect(services(machines)).toEqual(["db", "web-1", "web-2", "web-3"]);
  const [db] = machines.filter(({ tags }) => tags["bootlevel:service"] === "db");
  const web = machines.filter((machine) => machine !== db);
  expect(web.map(({ id }) => lab.fact(id))).toEqual(web.map(() => `from-admin at ${db?.privateAddress ?? ""}\n`));
  expect(await lab.json(["status", "shop"])).toMatchObject({ code: 0, document: { healthy: true } });

  const dead = web[1]?.id ?? "";
  await lab.change("terminate", [dead]);
  expect(await lab.json(["status", "shop"])).toMatchObject({ code: 1, document: { healthy: false } });
  expect(await lab.json(["repair", "shop"])).toMatchObject({ code: 0, document: { state: "ready" } });
  const mended = await lab.live();
  expect(services(mended)).toEqual(["db", "web-1", "web-2", "web-3"]);
  expect(mended.map(({ id }) => id).filter((id) => !machines.some((machine) => machine.id === id))).toHaveLength(1);

  expect(await lab.json(["terminate", "shop"])).toMatchObject({ code: 0 });
  expect(await lab.live()).toEqual([]);
});
