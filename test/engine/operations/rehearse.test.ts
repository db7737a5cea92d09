/** Whole rehearsals by the library: nothing real happens, faults are met and repaired, and a seed repeats them. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import { planFolder } from "../../plan/planFolder.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";
import { loadPlan, rehearse } from "../../../src/library/plans.js";

const folders = () =>
  [tmpdir(), "/dev/shm"]
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((name) => name.startsWith(`bootlevel-rehearsal-${process.pid}-`));

function faults(text: string): string {
  const file = join(temporaryDirectory(), "faults.yaml");
  writeFileSync(file, text);
  return file;
}

const SHOP = (touched: string) => `
plan: shop
variables: { region: {}, password: { secret: true, env: SHOP_PASSWORD_THAT_NOBODY_SET } }
clouds:
  rack: { driver: existing, hosts: [192.0.2.1, 192.0.2.2, 192.0.2.3] }
defaults: { cloud: rack }
levels:
  - services:
      db:
        outputs: [token, { name: key, secret: true }]
        boot: { command: "touch '${touched}' \${var.region}", env: { P: "\${var.password}", E: "\${env.NEVER_SET}" } }
      outside: { host: 192.0.2.9, boot: { command: "touch '${touched}'", where: launcher } }
  - services:
      web: { replicas: 2, boot: { command: "x \${db.token} \${outside.host}" }, ready: { command: y, every: 1s, timeout: 30s } }
      guest: { host: "\${db.host}", boot: { program: ok.sh, env: { K: "\${db.key}" } }, terminate: { command: z } }
`;

async function shop() {
  const touched = join(temporaryDirectory(), "touched");
  return { touched, plan: await loadPlan(join(planFolder({ "launch.yaml": SHOP(touched) }), "launch.yaml")) };
}

test("a plan with hosts, secrets and launcher programs is rehearsed without any of them, and nothing is left behind", async () => {
  const { touched, plan } = await shop();
  const done: number[] = [];
  const report = await rehearse(plan, { runs: 3, onProgress: (number) => done.push(number) });
  expect(report).toMatchObject({ plan: "shop", seed: "1", repairs: 3, runs: 3, ready: [3, 3, 3, 3], causes: [] });
  // Two levels of machines that take about 40 s and programs that take about 30 s: three such boots, waited for, would
  // be longer than a test may take.
  expect(report.ms.boot?.p50).toBeGreaterThan(60_000);
  expect(done).toEqual([1, 2, 3]);
  expect(existsSync(touched)).toBe(false);
  expect(folders()).toEqual([]);
});

test("a fault is met in every rehearsal and mended by a repair; replicas count as one cause", async () => {
  const { plan } = await shop();
  const report = await rehearse(plan, {
    runs: 4,
    faults: faults(
      "script:\n  - { service: web-1, program: boot, exit: 3 }\n  - { service: web-2, program: boot, exit: 3 }\n",
    ),
  });
  expect(report).toMatchObject({
    ready: [0, 4, 4, 4],
    ms: { boot: null },
    causes: [
      {
        service: "web",
        step: "boot",
        message: "the boot program failed: exit code 3",
        atBoot: 4,
        inTheEnd: 0,
        seed: "1.1",
      },
    ],
  });
  expect(report.ms.end?.p50).toBeGreaterThan(60_000);
});

test("what no repair mends is the cause in the end", async () => {
  const { plan } = await shop();
  const report = await rehearse(plan, {
    runs: 2,
    repairs: 1,
    faults: faults("script: [{ call: launch, service: db, nth: every, fault: refuse }]"),
  });
  expect(report).toMatchObject({ ready: [0, 0], ms: { boot: null, end: null } });
  expect(report.causes).toMatchObject([{ service: "db", step: "launch", atBoot: 2, inTheEnd: 2 }]);
});

test("a cloud that throttles, loses replies and shows machines late brings the plan up all the same", async () => {
  const { plan } = await shop();
  const report = await rehearse(plan, {
    runs: 10,
    faults: faults("calls: { latency: 300ms, throttle: 0.2, lost_reply: 0.2, limit: 2 }\nvisibility: 20s"),
  });
  expect(report).toMatchObject({ ready: [10, 10, 10, 10], causes: [] });
});

test("a seed repeats the rehearsals, another one gives others, and one of many can be rehearsed again alone", async () => {
  const { plan } = await shop();
  const options = {
    runs: 6,
    repairs: 1,
    faults: faults(
      "launch: { refuse: 0.1 }\nmachines: { die: { probability: 0.1, within: 2m } }\nprograms: { boot: { fail: 0.1 } }",
    ),
  };
  const first = await rehearse(plan, options);
  expect(await rehearse(plan, options)).toEqual(first);
  expect(await rehearse(plan, { ...options, seed: "2" })).not.toEqual(first);
  const [cause] = first.causes;
  const again = await rehearse(plan, { ...options, runs: 1, seed: cause?.seed ?? "" });
  expect(again.causes.map(({ message }) => message)).toContain(cause?.message);
});

test("an aborted rehearsal tells of those that were done", async () => {
  const { plan } = await shop();
  const abort = new AbortController();
  const report = await rehearse(plan, {
    runs: 50,
    signal: abort.signal,
    onProgress: (done) => {
      if (done === 2) abort.abort();
    },
  });
  expect(report).toMatchObject({ runs: 2, ready: [2, 2, 2, 2] });
  expect(folders()).toEqual([]);
});

test("mistakes in the file of faults and in variables are told before anything is rehearsed", async () => {
  const { plan } = await shop();
  await expect(rehearse(plan, { faults: faults("launch: { refuse: 2 }") })).rejects.toMatchObject({
    name: "PlanError",
    message: expect.stringContaining('"refuse" of "launch" must be at most 1, not 2'),
  });
  await expect(rehearse(plan, { variables: { regoin: "eu" } })).rejects.toMatchObject({
    name: "PlanError",
    message: expect.stringContaining('did you mean "region"?'),
  });
});

test("a plan whose machines start just in time is rehearsed as if they started one level ahead: there is no earlier run", async () => {
  const report = async (prelaunch: string) => {
    const text = `plan: p\nprelaunch: ${prelaunch}\nlevels:\n${["a", "b", "c"].map((name) => `  - services: { ${name}: { boot: { command: x } } }\n`).join("")}`;
    return rehearse(await loadPlan(join(planFolder({ "launch.yaml": text }), "launch.yaml")), { runs: 5 });
  };
  expect(await report("just-in-time")).toEqual(await report("next"));
});

test("without faults nothing fails, however short the time limits of the plan are", async () => {
  const limits = `
plan: short
levels:
  - services: { a: { boot: { command: x, timeout: 5s } }, b: { boot: { command: x }, execute: { command: y, timeout: 2s } } }
`;
  const plan = await loadPlan(join(planFolder({ "launch.yaml": limits }), "launch.yaml"));
  expect(await rehearse(plan, { runs: 30 })).toMatchObject({ ready: [30, 30, 30, 30], causes: [] });
  const given = faults("programs: { boot: { duration: 1m } }");
  expect((await rehearse(plan, { runs: 3, faults: given })).ready[0]).toBe(0);
});
