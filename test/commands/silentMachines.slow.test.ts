/** Machines that answered once and are silent now: nobody waits for them as for machines that boot. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";

import { contactMachines } from "../support/contactCloudModule.js";
import { driverModule } from "../support/driverModule.js";
import { eventually, within } from "../support/eventually.js";
import { installation, type Document, type Installation, type Started } from "../support/installation.js";
import { begun, levels, tell, waitFor } from "../support/liveRun.js";
import { logOf } from "../support/preparedMachine.js";
import { startSshHost, type SshHost } from "../support/sshHost.js";

const hosts: SshHost[] = [];
const frozen: number[] = [];
afterEach(async () => {
  for (const pid of frozen.splice(0)) signal(pid, "SIGCONT");
  for (const host of hosts.splice(0)) await host.stop();
});

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Two clouds whose machines are real sshds that are destroyed, and that may take five minutes to boot. */
async function head(): Promise<string> {
  const file = await driverModule("contactCloud");
  const random = () => 1 + Math.floor(Math.random() * 250);
  const cloud = () => `{ driver: "${file}", address: 127.${random()}.${random()}.${random()}, port: 2222 }`;
  return `clouds: { c: ${cloud()}, d: ${cloud()} }\ndefaults: { ssh: { known_hosts: /nonexistent, connect_timeout: 300s } }\n`;
}

const machineOf = (own: Installation, service: string): string =>
  contactMachines(own.home).find((directory) => directory.includes(`-${service}-`)) ?? "";

/** Stops the sshd of a service's machine, which has no sessions, as it is. */
function freeze(own: Installation, service: string): void {
  const pid = Number(readFileSync(join(machineOf(own, service), "pid"), "utf8"));
  frozen.push(pid);
  signal(pid, "SIGSTOP");
}

const logins = (own: Installation, service: string): number =>
  logOf(machineOf(own, service)).split("Accepted publickey").length - 1;

const eventsOf = async (own: Installation): Promise<Document[]> =>
  (await own.json(["events", "quiet"])).document.events;

test("terminate destroys the others of the level at once, and gives a silent machine seconds, not its connect_timeout", async () => {
  const own = installation();
  const plan = levels(
    "quiet",
    [
      `a: { cloud: c, boot: { command: "true" }, terminate: { command: "true" } }\nb: { cloud: d, boot: { command: "true" }, terminate: { command: "${tell(own, "b")}" } }`,
    ],
    await head(),
  );
  expect(await own.call(["boot", own.plan(plan), "--name", "quiet"])).toMatchObject({ code: 0 });
  freeze(own, "a");
  const ended = await within("terminate ends", own.call(["terminate", "quiet", "--yes"]), 100_000);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/a\b.*could not be reached within 20 s/s);
  const events = await eventsOf(own);
  const at = (found: (event: Document) => boolean): number => events.findIndex(found);
  const destroyed = at(({ type, service }) => type === "machine-terminated" && service === "b");
  const failed = at(({ type, service }) => type === "service-failed" && service === "a");
  expect(destroyed).toBeGreaterThan(0);
  expect(failed).toBeGreaterThan(destroyed);
  expect(own.fact("ran")).toBe("b\n");
  const before = logins(own, "a");
  for (const pid of frozen.splice(0)) signal(pid, "SIGCONT");
  expect(await own.call(["terminate", "quiet", "--yes", "--force"])).toMatchObject({ code: 0 });
  expect(before).toBeGreaterThan(0);
  expect(contactMachines(own.home)).toEqual([]);
}, 180_000);

test("terminate --force connects to no machine that it destroys, also one whose programs still run", async () => {
  const own = installation();
  const plan = levels(
    "quiet",
    [`a: { cloud: c, boot: { command: "${waitFor(own, "a")}" }, terminate: { command: "true" } }`],
    await head(),
  );
  const boot: Started = own.start(["boot", own.plan(plan), "--name", "quiet"]);
  await begun(own, "a");
  boot.child.kill("SIGKILL");
  await boot.ended;
  const before = logins(own, "a");
  const log = machineOf(own, "a");
  expect(before).toBeGreaterThan(0);
  freeze(own, "a");
  const stopped = await within("terminate ends", own.call(["terminate", "quiet", "--yes", "--force"]), 60_000);
  expect(stopped).toMatchObject({ code: 0 });
  expect(log).not.toBe("");
  expect(contactMachines(own.home)).toEqual([]);
}, 120_000);

test("status and repair give a machine that answered before seconds; a dead one is replaced", async () => {
  const own = installation();
  const plan = levels(
    "quiet",
    [`a: { cloud: c, boot: { command: "true" }, ready: { command: "true" } }`],
    await head(),
  );
  expect(await own.call(["boot", own.plan(plan), "--name", "quiet"])).toMatchObject({ code: 0 });
  freeze(own, "a");
  const status = await within("status ends", own.json(["status", "quiet"]), 60_000);
  expect(status.code).toBe(1);
  expect(status.document.services[0]).toMatchObject({
    trouble: "unreachable",
    message: expect.stringContaining("could not be reached within 20 s"),
  });
  for (const pid of frozen.splice(0)) signal(pid, "SIGKILL");
  // Nobody listens there any more: its connections are refused.
  const repair = await within("repair ends", own.json(["repair", "quiet"]), 90_000);
  expect(repair).toMatchObject({ code: 0, document: { state: "ready", tasks: [{ service: "a", stage: "discard" }] } });
  const [a] = (await own.json(["history", "quiet"])).document.machines.slice(-1);
  expect(a.key).toMatch(/\.a\.2$/);
}, 180_000);

test.each(["boot", "repair", "terminate"])(
  "Ctrl-C during %s ends an attempt to connect at once",
  async (verb) => {
    const own = installation();
    const host = await startSshHost();
    hosts.push(host);
    const plan = levels(
      "quiet",
      [`a: { host: ${host.address}, boot: { command: "true" }, terminate: { command: "true" } }`],
      `defaults: { ssh: { user: ${host.user}, port: ${host.port}, identity: "${host.identity}", agent: false, host_keys: accept-new, connect_timeout: 300s } }\n`,
    );
    const folder = own.plan(plan);
    if (verb !== "boot") expect(await own.call(["boot", folder, "--name", "quiet"])).toMatchObject({ code: 0 });
    await host.freeze();
    const words = {
      boot: ["boot", folder, "--name", "quiet"],
      repair: ["repair", "quiet"],
      terminate: ["terminate", "quiet", "--yes"],
    };
    const command = own.start(words[verb as keyof typeof words]);
    let shown = "";
    for (const stream of [command.child.stdout, command.child.stderr])
      stream?.on("data", (text: string) => (shown += text));
    // The machine's kernel accepts the connection; sshd does not.
    await eventually(
      "it connects",
      () =>
        execFileSync("ss", ["-Htn", "state", "established", "dst", `${host.address}:${host.port}`], {
          encoding: "utf8",
        }).trim() !== "",
    );
    command.child.kill("SIGINT");
    const ended = await within("it ends", command.ended, 15_000);
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(shown).toContain("stopping");
    await host.thaw();
    expect(
      await own.call(verb === "terminate" ? ["terminate", "quiet", "--yes"] : ["boot", "--resume", "quiet"]),
    ).toMatchObject({ code: 0 });
  },
  90_000,
);
