/** Repair of hosts over SSH: one that does not answer is exchanged for another; one that refuses us is not. */
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { afterEach, test, expect } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, shownServices, tell, told, waitFor } from "../support/liveRun.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

const pools: SshPool[] = [];
const pool = async (size: number) => {
  const made = await startSshPool(size);
  pools.push(made);
  return made;
};
/**
 * What is staged on a host that does not answer any more stays there; the hosts of these tests share the home of
 * whoever runs them.
 */
const staged: string[] = [];
afterEach(async () => {
  for (const one of pools.splice(0)) await one.stop();
  for (const directory of staged.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function bootThere(own: Installation, folder: string, run: string): Promise<string> {
  await boot(own, folder, run);
  const [{ uid }] = (await own.json(["list"])).document.runs;
  const directory = join(homedir(), ".bootlevel", "runs", uid as string);
  staged.push(directory);
  return directory;
}

test("a host that does not answer is replaced by another one of the pool; its guest and who refers to it boot again", async () => {
  const own = installation();
  const { head, host } = await pool(3);
  await bootThere(
    own,
    own.plan(
      levels(
        "hosts",
        [
          `db: { boot: { command: "${tell(own, "db")}" }, terminate: { command: "${tell(own, "db-ends")}" } }`,
          `web: { boot: { command: "${tell(own, "web \${db.host}")}" } }\nguest: { host: "\${db.host}", boot: { command: "${tell(own, "guest")}" } }\nlone: { host: "\${db.host}", ready: { where: launcher, command: "true" } }`,
        ],
        head,
      ),
    ),
    "hosts",
  );
  const before = await shownServices(own, "hosts");
  await host(before["db"].host).stop();
  expect((await own.json(["status", "hosts"])).code).toBe(1);
  expect(await own.json(["repair", "hosts"])).toMatchObject({ code: 0, document: { state: "ready" } });
  const after = await shownServices(own, "hosts");
  expect(after["db"].host).not.toBe(before["db"].host);
  expect(after["web"].machine).toBe(before["web"].machine);
  expect(after["guest"].host).toBe(after["db"].host);
  expect(told(own).sort()).toEqual(["db", "guest", `web ${after["db"].host}`]);
  expect((await own.call(["status", "hosts"])).code).toBe(0);
});

test("where only the launcher looks whether a service is ready, its host is looked at before it is booted there again", async () => {
  const own = installation();
  const { head, host } = await pool(2);
  letGo(own, "ready");
  await bootThere(
    own,
    own.plan(
      levels(
        "eye",
        [
          `a: { boot: { command: "${tell(own, "a")}" }, ready: { where: launcher, retries: 0, command: "test -f '${own.facts}/go-ready'" } }`,
        ],
        head,
      ),
    ),
    "eye",
  );
  const { a } = await shownServices(own, "eye");
  await host(a.host).stop();
  rmSync(join(own.facts, "go-ready"));
  expect((await own.json(["repair", "eye", "--dry-run"])).document.tasks).toMatchObject([
    { service: "a", stage: "discard" },
  ]);
});

test("a host that shows another host key is not replaced: it is said, with 1, and the run stays as it is", async () => {
  const own = installation();
  const { head, forgetKeys } = await pool(2);
  await bootThere(
    own,
    own.plan(levels("keys", [`a: { boot: { command: "true" }, ready: { command: "true" } }`], head)),
    "keys",
  );
  const before = await shownServices(own, "keys");
  await forgetKeys();
  const { code, document } = await own.json(["repair", "keys"]);
  expect(code).toBe(1);
  expect(document).toMatchObject({
    tasks: [],
    blocked: [
      {
        service: "a",
        message: expect.stringMatching(/presents the host key SHA256:.* but the known key is/) as unknown,
      },
    ],
  });
  expect((await own.call(["repair", "keys"])).stdout).toContain("a: unhealthy, and repair cannot fix it");
  expect((await shownServices(own, "keys"))["a"].machine).toBe(before["a"].machine);
});

test("a service that had only to be verified does not boot again because its host was away for a while", async () => {
  const own = installation();
  const { head, hosts } = await pool(1);
  const folder = own.plan(
    levels(
      "away",
      [`a: { boot: { command: "${tell(own, "a")}" }, ready: { command: "${waitFor(own, "ready")}" } }`],
      head,
    ),
  );
  const first = own.start(["boot", folder, "--name", "away"]);
  await begun(own, "ready");
  first.child.kill("SIGKILL");
  await first.ended;
  const pid = Number(readFileSync(join(hosts[0]?.directory ?? "", "pid"), "utf8"));
  process.kill(pid, "SIGSTOP");
  try {
    expect((await own.call(["boot", "--resume", "away"])).code).toBe(1);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  letGo(own, "ready");
  expect(await own.call(["boot", "--resume", "away"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a"]);
});

test("replicas that got other names leave nothing on their hosts", async () => {
  const own = installation();
  const { head } = await pool(3);
  const web = (replicas: number, folder: string) =>
    own.plan(
      levels("names", [`web: { replicas: ${replicas}, boot: { command: "${tell(own, "boot")}" } }`], head),
      {},
      folder,
    );
  const directory = await bootThere(own, web(1, "one"), "names");
  expect(await own.call(["reload", "names", web(3, "three"), "--yes"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["boot", "boot"]);
  expect(readdirSync(directory).sort()).toEqual(["web", "web-2", "web-3"]);
  expect(await own.call(["terminate", "names", "--yes"])).toMatchObject({ code: 0 });
  expect(existsSync(directory)).toBe(false);
});
