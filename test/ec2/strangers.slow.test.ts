/**
 * Machines that are not what they should be: none of them gets a key or a name to see, and each failure says where,
 * what and why.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { openEc2Lab, type Ec2Lab } from "../support/ec2Lab.js";
import type { Ended } from "../support/installation.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
}, 90_000);
afterEach(() => {
  lab.faults.clear();
  lab.machines.setImage({});
});
afterAll(async () => lab.close());

let count = 0;
async function booted(ssh: string): Promise<{ run: string; ended: Ended; screen: string }> {
  const run = `s${(count += 1)}`;
  const { identity } = await lab.key();
  const folder = lab.plan(`plan: strange
${lab.head(`ssh: { identity: "${identity}", agent: false, user: admin, connect_timeout: 25s${ssh} }`)}defaults: { cloud: aws }
levels: [ { name: one, services: { web: { boot: { command: "true" } } } } ]
`);
  const ended = await lab.call(["boot", folder, "--name", run]);
  return { run, ended, screen: ended.stdout + ended.stderr };
}

/** What came to the machine's sshd beyond the key exchange. */
const attempts = (log: string): string[] =>
  log.split("\n").filter((line) => /userauth|Accepted|Failed|Invalid user|authenticating user/i.test(line));

async function goes(run: string): Promise<void> {
  expect(await lab.json(["terminate", run])).toMatchObject({ code: 0 });
  expect(await lab.live()).toEqual([]);
  expect((await lab.inventory.securityGroups()).filter(({ GroupName }) => GroupName?.startsWith("bootlevel-"))).toEqual(
    [],
  );
}

test("a machine that got no user data is refused with both fingerprints, and nobody asks to be let in", async () => {
  lab.faults.set({ userData: "ignored" });
  const { run, ended, screen } = await booted("");
  expect(ended.code).toBe(1);
  expect(new Set(screen.match(/SHA256:[A-Za-z0-9+/]{43}/g)).size).toBe(2);
  expect(screen.replace(/\s+/g, " ")).toContain("For images without cloud-init, set ssh: { host_keys: console }");
  const [machine] = await lab.live();
  expect(attempts(lab.machines.log(machine?.id ?? ""))).toEqual([]);
  await goes(run);
});

test("a rogue at a machine's address is refused, and sees neither a name nor a key", async () => {
  const rogue = await lab.machines.rogue(() => count === 2);
  const { run, ended, screen } = await booted("");
  expect(ended.code).toBe(1);
  expect(new Set(screen.match(/SHA256:[A-Za-z0-9+/]{43}/g)).size).toBe(2);
  expect(rogue.log()).toContain("Server listening");
  expect(rogue.wasTrusted()).toBe(false);
  await goes(run);
});

test("by the console: the machine's keys are believed when it has printed them", async () => {
  lab.faults.set({ consoleMs: 2_000 });
  const { run, ended } = await booted(", host_keys: console");
  expect(ended.code).toBe(0);
  await goes(run);
});

test("a first boot that fails is told with cloud-init's words", async () => {
  lab.machines.setImage({ cloudInit: "error" });
  const { run, ended, screen } = await booted("");
  expect(ended.code).toBe(1);
  expect(screen).toContain("the lab wants it to fail");
  lab.machines.setImage({});
  expect(await lab.json(["reboot", run, "--yes"])).toMatchObject({ code: 0, document: { state: "ready" } });
  await goes(run);
});
