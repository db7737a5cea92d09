/** Machines that freeze, and connections that break: every command ends, and says what it found. */
import { afterEach, expect, test } from "@jest/globals";

import { eventually, within } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { startProxy, startSshHost, type SshHost, type TcpProxy } from "../support/sshHost.js";

const started: { stop(): Promise<void> }[] = [];
const keep = <T extends { stop(): Promise<void> }>(one: T): T => {
  started.push(one);
  return one;
};
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
}, 30_000);

const ssh = (host: SshHost, more = ""): string =>
  `ssh: { user: ${host.user}, identity: "${host.identity}", agent: false, host_keys: accept-new, connect_timeout: 2s${more} }`;

/** A machine behind a jump host. */
async function behindJump(own: Installation): Promise<{ machine: SshHost; folder: string }> {
  const jump = keep(await startSshHost());
  const machine = keep(await startSshHost({ identity: jump.identity }));
  const { user, address, port } = jump;
  const folder = own.plan(`plan: far
defaults: { ${ssh(machine, `, port: ${machine.port}, jump: { host: ${address}, user: ${user}, port: ${port} }`)} }
levels:
  - services:
      a: { host: ${machine.address}, boot: { command: "true" }, ready: { command: "true", timeout: 2s }, terminate: { command: "true" } }
`);
  return { machine, folder };
}

test("every command on a frozen machine behind a jump host prints its result and ends", async () => {
  const own = installation();
  const { machine, folder } = await behindJump(own);
  const call = (...words: string[]) => within(words.join(" "), own.call(words), 40_000);
  expect(await call("boot", folder, "--name", "far")).toMatchObject({ code: 0 });
  await machine.freeze();
  const status = await call("status", "far");
  expect(status.code).toBe(1);
  expect(status.stdout).toContain("could not be reached within 2.0 s");
  expect(await call("status", "far", "--timeout", "20s")).toMatchObject({ code: 1 });
  const late = await call("status", "far", "--timeout", "1s");
  expect(late.code).toBe(1);
  expect(late.stderr).toContain("the check did not finish within 1s");
  const repair = await call("repair", "far");
  expect(repair.code).toBe(1);
  expect(repair.stdout).toContain("could not be reached within 2.0 s");
  expect(await call("terminate", "far", "--yes")).toMatchObject({ code: 1 });
  expect(await call("terminate", "far", "--yes", "--force")).toMatchObject({ code: 0 });
  const boot = await call("boot", folder, "--name", "near");
  expect(boot.code).toBe(1);
  expect(boot.stdout).toContain("could not be reached within 2.0 s");
}, 240_000);

test("ten services share one connection that is cut, and refused for a while: all become ready, and the command ends", async () => {
  const own = installation();
  const machine = keep(await startSshHost());
  const proxy: TcpProxy = keep(await startProxy(machine.address, machine.port));
  const services = Array.from(
    { length: 10 },
    (_, at) =>
      `      s${at}: { host: 127.0.0.1, boot: { command: "touch '${own.facts}/s${at}'; until test -f '${own.facts}/go'; do sleep 0.1; done" } }\n`,
  );
  const folder = own.plan(
    `plan: flaky\nconcurrency: 10\ndefaults: { ${ssh(machine, `, port: ${proxy.port}`)} }\nlevels:\n  - services:\n${services.join("")}`,
  );
  const boot = own.start(["boot", folder, "--name", "flaky"]);
  await eventually("all ten run", () => own.factNames().length === 10);
  proxy.refuse();
  proxy.cut();
  await eventually("the launcher tries again", () => proxy.count > 4);
  proxy.resume();
  own.plan("", { go: "" }, "facts");
  const ended = await within("the boot ends", boot.ended, 40_000);
  expect(ended).toMatchObject({ code: 0, signal: null });
  expect(ended.stdout).toContain("Run flaky is ready");
}, 120_000);
