/**
 * Launchers that die while two calls for machines of one level are in flight, at a cloud that hides new machines:
 * whatever has become of each call, the next command finds every machine and makes no second one.
 */
import { readFileSync, readdirSync } from "node:fs";

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { openEc2Lab, type Ec2Lab } from "../support/ec2Lab.js";
import { random } from "../support/seed.js";

/** Every pair is taken with BOOTLEVEL_EC2_KILL_EVERY=1: a quarter of an hour. */
const EVERY = Number(process.env["BOOTLEVEL_EC2_KILL_EVERY"] ?? 31);
/** For how long the cloud hides new machines, and what the plan says of that. */
const [HIDDEN_MS, VISIBILITY_S] = [5_000, 8];
const SIZES = { a: "m5.large", b: "m5.xlarge" } as const;
const EACH = 2;

/** What has become of a call when its launcher dies. */
const FATES = {
  "is lost": { moment: "before", how: "cut" },
  "takes effect when its launcher is dead": { moment: "before", how: "go on" },
  "has taken effect": { moment: "after", how: "cut" },
  "was answered": null,
} as const;
type Fate = keyof typeof FATES;
const fates = Object.keys(FATES) as Fate[];

interface Case {
  readonly a: Fate;
  readonly b: Fate;
  readonly heeds: boolean;
  /** Whether the cloud has one machine of size a only, at first. */
  readonly partial: boolean;
}

const all: Case[] = fates
  .flatMap((a) => fates.map((b) => ({ a, b })))
  .filter(({ a, b }) => a !== "was answered" || b !== "was answered")
  .flatMap((pair) => [true, false].flatMap((heeds) => [true, false].map((partial) => ({ ...pair, heeds, partial }))));
const first = Math.floor(random() * EVERY);
/** The pair that once made a second machine, and every so many others. */
const cases = all.filter(
  ({ a, b, heeds, partial }, index) =>
    (a === "was answered" && b === "is lost" && !heeds && !partial) || index % EVERY === first,
);

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab();
}, 90_000);
afterEach(() => {
  lab.holds.clear();
  lab.faults.clear();
});
afterAll(async () => lab.close());

function plan(heeds: boolean): string {
  return lab.plan(`plan: pairs
${lab.head("", `heeds_tokens: ${heeds}, visibility_seconds: ${VISIBILITY_S}`)}defaults: { cloud: aws }
levels:
  - name: only
    services:
      a: { replicas: ${EACH}, size: ${SIZES.a}, ready: { command: "true", where: launcher } }
      b: { replicas: ${EACH}, size: ${SIZES.b}, ready: { command: "true", where: launcher } }
`);
}

/** What the driver has written down. */
function recorded(): string {
  const folder = lab.network.outside("/mnt/operator/état");
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /batches\/[^.][^/]*$/.test(file))
    .map((file) => readFileSync(`${folder}/${file}`, "utf8"))
    .join("\n");
}

const live = async (run: string) => (await lab.live()).filter(({ tags }) => tags["bootlevel:run-name"] === run);

/** Lets the command come to the two calls, kills it, and does to each call what it says. */
async function killBoot(run: string, { a, b, heeds }: Case): Promise<void> {
  const calls = Object.entries({ a, b }).map(([service, fate]) => {
    const end = FATES[fate];
    const fits = ({ action, parameters }: { action: string; parameters: URLSearchParams }) =>
      action === "RunInstances" && parameters.get("InstanceType") === SIZES[service as "a" | "b"];
    return { service, end, held: end === null ? null : lab.holds.next(end.moment, fits) };
  });
  const { child, ended } = lab.start(["boot", plan(heeds), "--name", run]);
  const stopped = await Promise.all(calls.map(async ({ held }) => held));
  for (const { service, end } of calls)
    if (end === null)
      await eventually(`the answer for ${service} is written down`, async () => {
        const own = (await live(run)).filter(({ type }) => type === SIZES[service as "a" | "b"]);
        return own.length > 0 && own.every(({ id }) => recorded().includes(id));
      });
  child.kill("SIGKILL");
  await ended;
  calls.forEach(({ end }, index) => {
    if (end !== null) stopped[index]?.end(end.how);
  });
}

test.each(cases)(
  "killed while the call for a $a and the call for b $b (tokens heeded: $heeds, partial grant: $partial)",
  async (one) => {
    const run = `p${all.indexOf(one)}`;
    lab.faults.set({
      tokens: one.heeds,
      hiddenMs: HIDDEN_MS,
      capacity: one.partial ? [{ type: SIZES.a, left: 1 }] : [],
    });
    await killBoot(run, one);
    lab.faults.set({ capacity: [] });
    expect(await lab.json(["boot", "--resume", run])).toMatchObject({ code: 0, document: { state: "ready" } });
    const machines = await live(run);
    expect(machines.map(({ type }) => type).sort()).toEqual([SIZES.a, SIZES.a, SIZES.b, SIZES.b]);
    expect(new Set(machines.map(({ id, tags }) => tags["bootlevel:key"] ?? id)).size).toBe(2 * EACH);
    expect((await lab.json(["status", run])).document).toMatchObject({ healthy: true, orphans: [] });
    expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
    expect(await live(run)).toEqual([]);
  },
  120_000,
);
