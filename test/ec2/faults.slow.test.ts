/**
 * A cloud that asks for fewer calls, breaks, loses answers and shows machines late: boots end ready, with one machine
 * for each service.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, REGION, type Ec2Lab, type FaultSettings } from "../support/ec2Lab.js";

/** More mixtures, and each fault alone, with BOOTLEVEL_FAULT_SEEDS=40. */
const SEEDS = Number(process.env["BOOTLEVEL_FAULT_SEEDS"] ?? 1);
const MACHINES = 5;

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab();
}, 90_000);
afterEach(() => {
  lab.holds.clear();
  lab.faults.clear();
});
afterAll(async () => lab.close());

let count = 0;
const newName = (): string => `f${(count += 1)}`;

function plan(heeds: boolean, defaults = ""): string {
  return lab.plan(`plan: faulty
${lab.head(defaults, `heeds_tokens: ${heeds}, visibility_seconds: 4`)}defaults: { cloud: aws }
levels:
  - { name: first, services: { db: { replicas: 3, ready: { command: "true", where: launcher } } } }
  - { name: second, services: { web: { replicas: 2, ready: { command: "true", where: launcher } } } }
`);
}

const own = async (run: string) => (await lab.instances()).filter(({ tags }) => tags["bootlevel:run-name"] === run);
const live = async (run: string) => (await own(run)).filter(({ state }) => state !== "terminated");
const groups = async () =>
  (await lab.inventory.securityGroups())
    .filter(({ GroupName }) => GroupName?.startsWith("bootlevel-"))
    .map(({ Tags }) => Tags?.find(({ Key }) => Key === "bootlevel:run-name")?.Value);

/** Boots and terminates with faults, and looks at the cloud's own list. */
async function goesWell(settings: Partial<FaultSettings>): Promise<void> {
  const run = newName();
  const folder = plan(settings.tokens ?? true);
  lab.faults.set(settings);
  expect(await lab.json(["boot", folder, "--name", run])).toMatchObject({ code: 0, document: { state: "ready" } });
  const machines = await own(run);
  expect(machines.map(({ state }) => state)).toEqual(Array.from({ length: MACHINES }, () => "running"));
  expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
  expect(await live(run)).toEqual([]);
  expect(await own(run)).toHaveLength(MACHINES);
  expect(await groups()).not.toContain(run);
}

const ALONE: readonly [string, Partial<FaultSettings>][] = [
  ["three calls of ten are refused for now", { throttled: 0.3 }],
  ["calls fail before and after their effect", { failedBefore: 0.15, failedAfter: 0.15 }],
  [
    "answers are lost before and after the effect, from a cloud that heeds no tokens",
    { lostBefore: 0.1, lostAfter: 0.1, tokens: false },
  ],
  [
    "machines are unknown for a while, shown now and hidden again, answers are late",
    { hiddenMs: 2_000, flicker: 0.4, pendingMs: 2_500, slowMs: 800, tokens: false },
  ],
];

test.each(SEEDS > 1 ? ALONE : ALONE.slice(0, 1))(
  "%s",
  async (_what, settings) => {
    await goesWell(settings);
  },
  240_000,
);

test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
  "all of it at once, by seed %i",
  async (seed) => {
    lab.faults.seed(seed);
    await goesWell({
      throttled: 0.15,
      failedBefore: 0.04,
      failedAfter: 0.04,
      lostBefore: 0.04,
      lostAfter: 0.04,
      slowMs: 300,
      hiddenMs: 1_200,
      flicker: 0.3,
      pendingMs: 2_000,
      endingMs: 1_000,
      tokens: seed % 2 === 0,
    });
  },
  400_000,
);

test("machines are to be had in one zone only, and a few here and there", async () => {
  const run = newName();
  const zones = ["a", "b", "c"].map((letter) => `${REGION}${letter}`);
  lab.faults.set({
    capacity: [
      { zone: zones[0] as string, left: 1 },
      { zone: zones[1] as string, left: 0 },
    ],
  });
  expect(
    await lab.json(["boot", plan(true, `launch: { zone: [ ${zones.join(", ")} ] }`), "--name", run]),
  ).toMatchObject({ code: 0 });
  expect((await live(run)).map(({ zone }) => zone).sort()).toEqual([zones[0], zones[2], zones[2], zones[2], zones[2]]);
  expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
});

test.each<[string, Partial<FaultSettings>, RegExp[]]>([
  [
    "no room",
    { capacity: [{ left: 2 }] },
    [/db-3/, /do not have sufficient m5\.large capacity/, /name more to try: size: \[a, b\], launch: \{ zone/],
  ],
  [
    "a quota",
    { quota: 2 },
    [/db-3/, /vCPU limit of 4/, /quota VcpuLimitExceeded: ask for more in the Service Quotas console, or end machines/],
  ],
])(
  "%s for all: who failed, why and what to do stands on one screen; when there is, the run is carried on with",
  async (_what, settings, words) => {
    const run = newName();
    lab.faults.set(settings);
    const failed = await lab.call(["boot", plan(true), "--name", run]);
    expect(failed.code).toBe(1);
    const screen = failed.stdout + failed.stderr;
    for (const word of words) expect(screen.replace(/\s+/g, " ")).toMatch(word);
    expect(screen.slice(screen.indexOf("✖")).split("\n").length).toBeLessThan(25);
    lab.faults.clear();
    expect(await lab.json(["boot", "--resume", run])).toMatchObject({ code: 0, document: { state: "ready" } });
    expect(await own(run)).toHaveLength(MACHINES);
    expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
    expect(await live(run)).toEqual([]);
  },
);

test("a machine that ends before it runs: the cloud's reason is told, and another one is launched", async () => {
  const run = newName();
  lab.faults.set({ pendingMs: Infinity });
  const asked = lab.holds.next(
    "before",
    ({ action, parameters }) => action === "DescribeInstances" && parameters.has("InstanceId.1"),
  );
  const booting = lab.start(["boot", plan(true), "--name", run]).ended;
  const held = await asked;
  const [first] = await live(run);
  await lab.change("terminate", [first?.id ?? ""]);
  lab.faults.set({ pendingMs: 0 });
  held.end("go on");
  const booted = await booting;
  expect(booted.code).toBe(0);
  expect(booted.stdout + booted.stderr).toContain(
    `machine ${first?.id ?? ""} went to "terminated" before it could be reached: Client.UserInitiatedShutdown: User initiated shutdown; launching another one (2 of at most 3)`,
  );
  expect(await live(run)).toHaveLength(MACHINES);
  expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
});
