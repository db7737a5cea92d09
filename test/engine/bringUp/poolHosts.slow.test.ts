/** Hosts of a pool: asked for before they are called ready, and marked for other installations. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { bootRun } from "../../../src/engine/operations/boot.js";
import { terminateRun } from "../../../src/engine/operations/terminate.js";
import { loadPlan } from "../../../src/library/plans.js";
import type { RunEvent } from "../../../src/model/events.js";
import type { Store } from "../../../src/state/contract/store.js";
import { openStore } from "../../../src/state/openStore.js";
import { startSshPool, type SshPool } from "../../support/sshPool.js";

const never = new AbortController().signal;
let pool: SshPool;
let directory: string;
const stores: Store[] = [];
/** Runs stage below the home of whoever runs the test, since that is where the hosts' user lives. */
const staged: string[] = [];

beforeAll(async () => {
  pool = await startSshPool(1);
  directory = mkdtempSync(join(tmpdir(), "bootlevel pool é "));
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const name of [...staged.splice(0), ...markers()]) rmSync(join(home, name), { recursive: true, force: true });
});
afterAll(async () => {
  await pool.stop();
  rmSync(directory, { recursive: true, force: true });
});

const home = join(homedir(), ".bootlevel");

/** The markers of the pool's hosts. */
function markers(): string[] {
  const [host] = pool.hosts;
  const end = `-${host?.address}-${host?.port}`;
  return existsSync(home) ? readdirSync(home).filter((name) => name.startsWith("host-") && name.endsWith(end)) : [];
}

async function installation(name: string): Promise<Store> {
  const store = await openStore(join(directory, name));
  stores.push(store);
  return store;
}

async function boot(store: Store, name: string, service: string, head = pool.head) {
  const folder = mkdtempSync(join(directory, "plan-"));
  writeFileSync(join(folder, "launch.yaml"), `plan: pool\n${head}levels: [{ name: l, services: { ${service} } }]\n`);
  const events: RunEvent[] = [];
  const result = await bootRun(store, {
    plan: await loadPlan(folder),
    variables: [],
    name,
    observe: (event) => events.push(event),
    signal: never,
  });
  staged.push(join("runs", (await store.findRun(name)).uid));
  return { result, events, text: JSON.stringify([result, events]) };
}

async function terminate(store: Store, name: string) {
  const events: RunEvent[] = [];
  const result = await terminateRun(store, await store.findRun(name), {
    observe: (event) => events.push(event),
    signal: never,
    force: false,
    keep: false,
    waitMs: 0,
  });
  return { result, text: JSON.stringify([result, events]) };
}

const WEB = "web: { boot: { command: 'true' }, terminate: { command: 'touch ~/.bootlevel/terminated' } }";

test.each([
  ["with programs", WEB],
  ["without any program", "web: {}"],
])(
  "a service %s marks its host; another installation is told whose it is, and leaves it alone",
  async (_, service) => {
    const [ours, theirs] = [await installation("ours"), await installation("theirs")];
    expect((await boot(ours, "shop", service)).result.state).toBe("ready");
    const [marker = ""] = markers();
    expect(JSON.parse(readFileSync(join(home, marker), "utf8"))).toMatchObject({
      installation: await ours.installation(),
      run: (await ours.findRun("shop")).uid,
      runName: "shop",
      service: "web",
    });
    const late = await boot(theirs, "late", service);
    expect(late.result.state).toBe("failed");
    expect(late.text).toMatch(/the host is in use by service web of run shop, which the installation of .*@.* started/);
    expect(late.text).toContain(`If that installation is gone, remove ~/.bootlevel/${marker} on the host`);
    const ended = await terminate(theirs, "late");
    expect(ended.result.state).toBe("terminated");
    expect(existsSync(join(home, "terminated"))).toBe(false);
    expect(markers()).toEqual([marker]);

    expect((await terminate(ours, "shop")).result.state).toBe("terminated");
    expect(markers()).toEqual([]);
    rmSync(join(home, "terminated"), { force: true });
    expect((await boot(theirs, "again", service)).result.state).toBe("ready");
    expect((await terminate(theirs, "again")).result.state).toBe("terminated");
    rmSync(join(home, "terminated"), { force: true });
  },
  90_000,
);

test("what an earlier run of the same installation, or a launcher that died, left behind is taken over", async () => {
  const ours = await installation("takes-over");
  expect((await boot(ours, "one", "web: {}")).result.state).toBe("ready");
  const [marker = ""] = markers();
  const stale = readFileSync(join(home, marker), "utf8");
  expect((await terminate(ours, "one")).result.state).toBe("terminated");
  for (const left of [stale, ""]) {
    writeFileSync(join(home, marker), left);
    const name = left === "" ? "three" : "two";
    expect((await boot(ours, name, WEB)).result.state).toBe("ready");
    expect(JSON.parse(readFileSync(join(home, marker), "utf8"))).toMatchObject({ runName: name });
    expect((await terminate(ours, name)).result.state).toBe("terminated");
    expect(markers()).toEqual([]);
  }
  rmSync(join(home, "terminated"), { force: true });
}, 90_000);

test("a service without programs is not ready on a host that does not exist, and not on one that lets nobody in", async () => {
  const store = await installation("nowhere");
  const nowhere = pool.head.replace(/port: \d+/, "port: 1");
  const absent = await boot(store, "absent", "web: {}", nowhere);
  expect(absent.result.state).toBe("failed");
  expect(absent.text).toMatch(/could not be reached within 2.0 s/);
  const strangers = pool.head.replace(/user: \w+/, "user: nobody-there");
  const refused = await boot(store, "refused", "web: {}", strangers);
  expect(refused.result.state).toBe("failed");
  expect(refused.text).toMatch(/refused every key/);
  for (const name of ["absent", "refused"]) expect((await terminate(store, name)).result.state).toBe("terminated");
}, 60_000);
