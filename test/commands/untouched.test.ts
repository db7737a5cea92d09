/** A machine that never let bootlevel in has nothing to clean up, and is not kept for it. */
import { expect, test } from "@jest/globals";

import { freePort } from "../support/freePort.js";
import { installation } from "../support/installation.js";

test.each([
  ["without a boot program", 'ready: { command: "true" }'],
  ["with a boot program", 'boot: { command: "true" }'],
  ["with only an execute program", 'execute: { command: "true" }'],
])("keep: never, a terminate program, %s: a host that lets nobody in is given back", async (_what, programs) => {
  const own = installation();
  const folder = own.plan(`plan: shut
clouds: { pool: { driver: existing, hosts: [127.0.0.1] } }
defaults: { ssh: { user: nobody, port: ${await freePort()}, connect_timeout: 1s } }
levels:
  - name: one
    services:
      a: { cloud: pool, ${programs}, terminate: { command: "true" }, report: { patterns: [x] } }
`);
  const { code, document } = await own.json(["run", folder, "--name", "shut"]);
  expect(code).toBe(1);
  expect(document).toMatchObject({
    success: false,
    boot: { failures: [{ service: "a", step: "connect" }] },
    reports: [],
    terminated: { state: "terminated", failures: [], terminated: [{ service: "a" }] },
  });
  expect((await own.json(["list"])).document.runs).toEqual([]);
});
