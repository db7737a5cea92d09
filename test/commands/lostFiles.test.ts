/** What a run keeps as files is lost or closed: the service that needs it fails, by its name, and the run goes on. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
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

test("a log that cannot be written fails its service, not the launcher; the next command carries on", async () => {
  const own = installation();
  const plan = own.plan(PLAN, FILES);
  expect(await own.call(["boot", plan, "--name", "shop"])).toMatchObject({ code: 0 });
  const logs = join(run(own), "logs");
  renameSync(logs, `${logs}.away`);
  writeFileSync(logs, "no folder");
  const rebooted = await own.call(["reboot", "shop", "web", "--yes"]);
  expect(rebooted.code).toBe(1);
  expect(rebooted.stderr + rebooted.stdout).toMatch(/cannot write .*logs\/web\.boot\.log: (EEXIST|ENOTDIR)/);
  expect(rebooted.stderr + rebooted.stdout).toContain("make room in");
  rmSync(logs);
  mkdirSync(logs, { mode: 0o700 });
  expect(await own.call(["repair", "shop"])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
});
