import { expect, test } from "@jest/globals";
import { join } from "node:path";
import type { DriverDefinition } from "../../../src/drivers/contract/driver.js";
import { load, mistakesOf } from "../planFolder.js";

const ACME: DriverDefinition = {
  name: "acme",
  cloudSchema: {
    type: "object",
    required: ["region"],
    additionalProperties: false,
    properties: { region: { enum: ["eu", "us"] }, zones: { type: "integer" } },
  },
  launchSchema: { type: "object", additionalProperties: false, properties: { disk: { type: "integer", minimum: 1 } } },
  sshDefaults: { hostKeys: "accept-new", connectTimeoutMs: 300_000 },
  create: () => {
    throw new Error("a plan is checked without a driver");
  },
};
const BUILT_IN: DriverDefinition = {
  ...ACME,
  name: "local",
  cloudSchema: null,
  launchSchema: null,
  sshDefaults: { hostKeys: "known-hosts", connectTimeoutMs: 30_000 },
};

const seen: [string, string][] = [];
const options = {
  driverDefinition: async (name: string, dir: string): Promise<DriverDefinition> => {
    seen.push([name, dir]);
    if (name === "local" || name === "existing") return BUILT_IN;
    if (name === "acme" || name.endsWith("/drivers/acme.js")) return ACME;
    if (name === "odd") return { ...ACME, cloudSchema: { type: "nonsense" } };
    throw new Error(`no package ${name}\n    at stack`);
  },
};

test("a third party's keys are checked by its own schemas, at their places", async () => {
  expect(
    await mistakesOf(
      "plan: a\nclouds:\n  a: { driver: acme, region: ue, zone: 1 }\n  b: { driver: acme }\ndefaults: { cloud: a }\nlevels: [{ services: { x: { launch: { disk: 0, dsik: 1 } } } }]",
      {},
      options,
    ),
  ).toEqual([
    '3: "region" of cloud "a" must be eu or us, not "ue" -> eu',
    '3: unknown key "zone" in cloud "a" -> zones',
    '4: cloud "b" needs the key "region"',
    '6: "disk" of "launch" of service "x" must be at least 1, not 0',
    '6: unknown key "dsik" in "launch" of service "x" -> disk',
  ]);
});

test("a string with references is left for the launch to check", async () => {
  const plan = await load(
    'plan: a\nvariables: { r: eu }\nclouds: { a: { driver: acme, region: "${var.r}", zones: "${env.ZONES}" } }\nlevels: [{ services: { x: { launch: { disk: "${var.r}" } } } }]',
    {},
    options,
  );
  expect(plan.clouds.a?.options).toEqual({ region: "${var.r}", zones: "${env.ZONES}" });
  expect(plan.environment).toEqual(["ZONES"]);
});

test("a driver that cannot be loaded is a mistake at its name, and a broken schema is its author's", async () => {
  expect(
    await mistakesOf("plan: a\nclouds:\n  a: { driver: locl }\n  b: { driver: odd }\nlevels: []", {}, options),
  ).toEqual([
    '3: driver "locl" cannot be loaded: no package locl -> local',
    expect.stringMatching(/^4: the driver's schema is invalid, report this to its author: /),
  ]);
});

test("a driver's file is relative to the plan, and its SSH defaults are used", async () => {
  const plan = await load(
    "plan: a\nclouds: { a: { driver: ./drivers/acme.js, region: eu } }\nlevels: [{ services: { x: {}, y: { ssh: { host_keys: known-hosts, connect_timeout: 1m } }, z: { host: h } } }]",
    {},
    options,
  );
  expect(plan.clouds.a?.driver).toBe(join(plan.dir, "drivers/acme.js"));
  expect(seen.at(-1)).toEqual([join(plan.dir, "drivers/acme.js"), plan.dir]);
  expect(plan.levels[0]?.services.map(({ ssh }) => [ssh.hostKeys, ssh.connectTimeoutMs])).toEqual([
    ["accept-new", 300_000],
    ["known-hosts", 60_000],
    ["known-hosts", 30_000],
  ]);
});

test("local machines take no keys under launch", async () => {
  expect(await mistakesOf("plan: a\nlevels: [{ services: { x: { launch: { disk: 1 } } } }]", {}, options)).toEqual([
    '2: unknown key "disk" in "launch" of service "x": it takes no keys',
  ]);
});

test("an SSH key must exist where SSH is needed, and nowhere else", async () => {
  const keys = "defaults: { ssh: { identity: none } }";
  expect(
    await mistakesOf(
      `plan: a\nclouds: { l: { driver: local }, r: { driver: existing, hosts: [h] } }\n${keys}\nlevels: [{ services: { x: { cloud: r } } }]`,
    ),
  ).toHaveLength(1);
  expect(
    (await load(`plan: a\n${keys}\nlevels: [{ services: { x: {} } }, { services: { y: { host: "\${x.host}" } } }]`))
      .levels,
  ).toHaveLength(2);
  expect(await mistakesOf(`plan: a\n${keys}\nlevels: [{ services: { x: { host: 10.0.0.1 } } }]`)).toHaveLength(1);
});

test("a pool with fewer hosts than the plan has replicas for it is a mistake before anything is launched", async () => {
  const text = (hosts: string) => `plan: a
clouds: { pool: { driver: existing, hosts: [${hosts}] } }
defaults: { cloud: pool }
levels: [ { services: { web: { replicas: 2 }, db: {}, beside: { host: "10.9.9.9" } } } ]
`;
  expect(await mistakesOf(text("10.0.0.1, 10.0.0.2"), {}, options)).toEqual([
    '2: cloud "pool" has 2 hosts, but the plan\'s services need 3: add 1, or lower the replicas of web, db',
  ]);
  await expect(load(text("10.0.0.1, 10.0.0.2, 10.0.0.3"), {}, options)).resolves.toMatchObject({ name: "a" });
});
