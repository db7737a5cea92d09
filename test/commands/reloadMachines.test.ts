/**
 * Reload: machines that go are taken down as the plan describes them that they were started by, and make room for those
 * that come.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, localMachines, tell, told, waitFor } from "../support/liveRun.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

let pool: SshPool;
beforeAll(async () => {
  pool = await startSshPool(1);
});
afterAll(() => pool.stop());

let versions = 0;
const plan = (own: Installation, services: string, head = "") =>
  own.plan(levels("live", [services], head), {}, `version ${++versions}`);
const reload = (own: Installation, folder: string) => own.call(["reload", "live", folder, "--yes"]);

test("a replaced machine gets its own terminate program, once, and not that of the changed plan", async () => {
  const own = installation();
  await boot(
    own,
    plan(
      own,
      `a: { outputs: [x], boot: { command: "echo x=1 >> \\"$BOOTLEVEL_OUTPUT\\"" }, terminate: { command: "${tell(own, "old $BOOTLEVEL_SERVICE")}" } }`,
    ),
    "live",
  );
  const changed = `a: { size: big, outputs: [y], boot: { command: "echo y=2 >> \\"$BOOTLEVEL_OUTPUT\\"" }, terminate: { command: "${tell(own, "new ${self.y}")}" } }`;
  expect(await reload(own, plan(own, changed))).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["old a"]);
  expect(await own.call(["terminate", "live", "--yes"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["new 2"]);
});

test("a service that moves from a cloud to a host is taken down on its machine, and booted on the host", async () => {
  const own = installation();
  const [host] = pool.hosts;
  const where = "${SSH_CONNECTION:+host}";
  const head = pool.head
    .replace("defaults: {", "defaults: { cloud: local,")
    .replace("clouds: {", "clouds: { local: { driver: local },");
  const service = (placement: string) =>
    `a: { ${placement} boot: { command: "${tell(own, `boot ${where}`)}" }, terminate: { command: "${tell(own, `end ${where}`)}" } }`;
  await boot(own, plan(own, service(""), head), "live");
  expect(
    await reload(
      own,
      plan(
        own,
        service(`host: "${host?.address ?? ""}", ssh: { user: "${host?.user ?? ""}", port: ${host?.port ?? 0} },`),
        head,
      ),
    ),
  ).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["end", "boot host"]);
  expect(localMachines(own)).toEqual([]);
});

test("what nobody needs goes first: a pool of one host changes from one service to another", async () => {
  const own = installation();
  const head = pool.head.replace("defaults: {", "defaults: { cloud: rack,");
  const service = (name: string) =>
    `${name}: { boot: { command: "${tell(own, name)}" }, terminate: { command: "${tell(own, `end ${name}`)}" } }`;
  await boot(own, plan(own, service("a"), head), "live");
  expect(await reload(own, plan(own, service("b"), head))).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["end a", "b"]);
  expect(await own.call(["terminate", "live", "--yes"])).toMatchObject({ code: 0 });
});

test("a terminate program that has ended does not run again because its launcher died while another one ran", async () => {
  const own = installation();
  await boot(
    own,
    plan(
      own,
      `a: { boot: { command: "true" }, terminate: { command: "${tell(own, "a")}" } }\nb: { boot: { command: "true" }, terminate: { command: "${waitFor(own, "b")}" } }`,
    ),
    "live",
  );
  const launcher = own.start(["terminate", "live", "--yes"]);
  await begun(own, "b");
  await eventually("a's end is on record", async () =>
    (await own.call(["events", "live"])).stdout.includes("step-finished  service=a step=terminate"),
  );
  launcher.child.kill("SIGKILL");
  await launcher.ended;
  letGo(own, "b");
  expect(await own.call(["terminate", "live", "--yes"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a"]);
});
