/** What each command says of a service in each state: none may contradict another. */
import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";

const plan = (own: Installation) => `plan: states
levels:
  - name: one
    services:
      fine: { ready: { command: "true" } }
      busy: { execute: { command: "until test -f '${own.facts}/go'; do sleep 0.05; done" } }
      bad: { execute: { command: "echo 3 of 7 tests failed; exit 4" } }
  - name: two
    services:
      later: {}
`;

type Row = Record<string, string | null>;

async function shown(own: Installation, run: string): Promise<Record<string, Row>> {
  const { document } = await own.json(["show", run]);
  const services = document.levels.flatMap(({ services: list }: { services: Row[] }) => list) as Row[];
  return Object.fromEntries(services.map((service) => [service["name"], service]));
}

async function checked(own: Installation, run: string): Promise<Record<string, Row>> {
  const { document } = await own.json(["status", run]);
  return Object.fromEntries(document.services.map((service: Row) => [service["service"], service]));
}

test("a service that executes, one that failed at it, and one whose turn has not come: alive, and after the launcher's death", async () => {
  const own = installation();
  const boot = own.start(["boot", own.plan(plan(own)), "--name", "s"]);
  await eventually("busy executes and bad has failed", async () => {
    const { busy, bad } = await shown(own, "s").catch((): Record<string, Row> => ({}));
    return busy?.["state"] === "executing" && bad?.["state"] === "failed";
  });
  const failed = {
    state: "failed",
    trouble: "failed",
    message: "the execute program failed: exit code 4",
    exitCode: 4,
  };
  expect(await checked(own, "s")).toMatchObject({
    fine: { state: "ready", healthy: true, trouble: null, machine: "running" },
    busy: { state: "executing", trouble: "executing", message: "its execute program runs", machine: "running" },
    bad: { ...failed, machine: "running", lastLines: ["3 of 7 tests failed"] },
  });
  boot.child.kill("SIGKILL");
  await boot.ended;
  const status = await own.call(["status", "s"]);
  expect(status.stdout).toMatch(/ fine +✔ ready .* running/);
  expect(status.stdout).toMatch(/ busy +… executing .* running .*was interrupted while executing/);
  expect(status.stdout).toMatch(/ bad +✖ failed .* running .*the execute program failed: exit code 4/);
  expect(status.stdout).toContain("Last output of bad:\n  3 of 7 tests failed");
  expect((await own.call(["show", "s"])).stdout).toMatch(/ busy +executing \(interrupted\)/);
  expect((await own.call(["list"])).stdout).toMatch(/ s +interrupted +1\/4/);
  expect((await own.call(["analyze", "s"])).stdout).toMatch(/busy .* execute .*did not end/);
  expect((await own.json(["history", "s"])).document.machines).toMatchObject(
    ["fine", "busy", "bad", "later"].map((service) => ({ service, now: "running" })),
  );
});

test("a service that was taken down has no machine and no address, and the machines that were there are counted once", async () => {
  const own = installation();
  const folder = own.plan(
    'plan: down\nlevels:\n  - name: one\n    services:\n      a: { terminate: { command: "exit 3" } }\n      b: {}\n',
  );
  await own.call(["boot", folder, "--name", "d"]);
  const half = await own.json(["terminate", "d"]);
  expect(half.document.runs[0].terminated).toMatchObject([{ service: "b", givenBack: false }]);
  expect(await checked(own, "d")).toMatchObject({
    a: { trouble: "failed", machine: "running", message: expect.stringContaining("the terminate program failed") },
    b: { state: "terminated", trouble: "down", machine: "none", host: null, message: "was taken down" },
  });
  expect(await shown(own, "d")).toMatchObject({ b: { machine: null, host: null, cloud: null } });
  const rest = await own.call(["terminate", "d", "--force", "--yes"]);
  expect(rest.stdout).toContain("d is terminated: 1 machine ended.");
});

test("a launch request that the cloud refused is no machine that ended, and a host of a pool is given back", async () => {
  const own = installation();
  const folder = own.plan(`plan: pool
clouds: { pool: { driver: existing, hosts: [127.0.0.9] } }
levels:
  - name: one
    services:
      a: { replicas: 3, cloud: pool, ready: { command: "true", where: launcher } }
`);
  const booted = await own.json(["boot", folder, "--name", "p"]);
  expect(booted.code).toBe(1);
  const ended = await own.call(["terminate", "p", "--yes"]);
  expect(ended.stdout).toContain("p is terminated: 1 host given back.");
  expect((await own.json(["history", "p"])).document.machines.map(({ end }: Row) => end).sort()).toEqual([
    "given back",
    expect.stringMatching(/^no free host for a-/),
    expect.stringMatching(/^no free host for a-/),
  ]);
});
