/** What a run keeps as files is lost or closed: only what needs it fails, by its name, and the run goes on. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";

const PLAN = `plan: shop
clouds: { here: { driver: local } }
defaults: { cloud: here, timeout: 30s }
levels:
  - name: one
    services:
      web: { boot: { program: boot.sh }, ready: { command: "true" } }
      other: { boot: { command: "echo other" } }
`;
const FILES = { "boot.sh": "#!/bin/sh\necho booted\n" };

const run = (own: Installation) => join(own.home, "runs", readdirSync(join(own.home, "runs"))[0] ?? "");

test("a bundle that is gone fails its service, and says what helps; reload brings it back", async () => {
  const own = installation();
  const plan = own.plan(PLAN, FILES);
  expect(await own.call(["boot", plan, "--name", "shop"])).toMatchObject({ code: 0 });
  rmSync(join(own.home, "bundles"), { recursive: true });
  const rebooted = await own.call(["reboot", "shop", "web", "--yes"]);
  expect(rebooted.code).toBe(1);
  expect(rebooted.stderr + rebooted.stdout).toMatch(
    /cannot send the program: the bundle .*bundles\/[0-9a-f]{64}\.tar is missing; pack .* bootlevel reload/,
  );
  expect(await own.call(["reload", "shop", plan, "--yes"])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("is not ready. Repair it: bootlevel repair shop"),
  });
  expect(await own.call(["repair", "shop"])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
});

test("a log that cannot be written is lost and told; no program fails and nothing is booted again for it", async () => {
  const own = installation();
  const plan = own.plan(PLAN, FILES);
  expect(await own.call(["boot", plan, "--name", "shop"])).toMatchObject({ code: 0 });
  const logs = join(run(own), "logs");
  renameSync(logs, `${logs}.away`);
  writeFileSync(logs, "no folder");
  const repaired = await own.json(["repair", "shop"]);
  expect(repaired.document).toMatchObject({ state: "ready", tasks: [], blocked: [], failures: [] });
  const rebooted = await own.call(["reboot", "shop", "web", "--yes"]);
  expect(rebooted).toMatchObject({ code: 0, stderr: "" });
  for (const step of ["boot", "ready"]) {
    const loss = `warning web: output of its ${step} program is lost, and the program goes on: cannot write `;
    expect(rebooted.stdout.split(loss)).toHaveLength(2);
    expect(rebooted.stdout.split(loss)[1]).toMatch(
      new RegExp(`^.*logs/web[.]${step}[.]log: (EEXIST|ENOTDIR).*; something else has this name .*move it away\n`),
    );
  }
  rmSync(logs);
  renameSync(`${logs}.away`, logs);
  expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
});

test("what this computer cannot read is no fault of a machine: repair leaves healthy services alone", async () => {
  const own = installation();
  const plan = own.plan(PLAN, FILES);
  expect(await own.call(["boot", plan, "--name", "shop"])).toMatchObject({ code: 0 });
  const booted = () => readFileSync(join(run(own), "logs/web.boot.log"), "utf8").match(/^booted$/gm)?.length;
  renameSync(join(own.home, "bundles"), join(own.home, "bundles.away"));
  const status = await own.json(["status", "shop"]);
  expect(status.code).toBe(1);
  expect(status.document.services[0]).toMatchObject({
    trouble: "unchecked",
    message: expect.stringMatching(/^cannot send the program: the bundle .* is missing; pack the programs again/),
  });
  expect(await own.call(["status", "shop", "--nagios"])).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^BOOTLEVEL UNKNOWN .*unknown=1/),
  });
  const repaired = await own.json(["repair", "shop"]);
  expect(repaired).toMatchObject({ code: 1, document: { tasks: [], failures: [] } });
  expect(repaired.document.blocked).toEqual([
    { service: "web", message: expect.stringMatching(/^it could not be checked: cannot send the program/) },
  ]);
  expect(booted()).toBe(1);
  renameSync(join(own.home, "bundles.away"), join(own.home, "bundles"));
  expect(await own.json(["repair", "shop"])).toMatchObject({ code: 0, document: { tasks: [] } });
  expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
});
