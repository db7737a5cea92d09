/** A pool of hosts that exist, reached over real sshd: taken, used, given back, and left as they were. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, test, expect } from "@jest/globals";

import existing from "../../../src/drivers/existing/existingDriver.js";
import { never, open, request, stateDirectory } from "../../support/drivers.js";
import { eventually, isAlive } from "../../support/eventually.js";
import { installation, type Installation } from "../../support/installation.js";
import { makeKey, startSshHost, type SshHost } from "../../support/sshHost.js";
import { filesBelow, processesAt } from "../../support/traces.js";

let keys: string;
let hosts: (SshHost & { readonly home: string })[] = [];

beforeAll(async () => {
  keys = mkdtempSync(join(tmpdir(), "bootlevel keys "));
  await makeKey(join(keys, "id"));
  hosts = await Promise.all(
    ["one", "two"].map(async (name) => {
      const home = join(keys, `home-${name}`);
      mkdirSync(home);
      return { ...(await startSshHost({ identity: join(keys, "id"), config: `SetEnv "HOME=${home}"` })), home };
    }),
  );
  writeFileSync(join(keys, "known_hosts"), hosts.map(({ knownHosts }) => readFileSync(knownHosts, "utf8")).join(""));
});

afterAll(async () => {
  await Promise.all(hosts.map((host) => host.stop()));
  rmSync(keys, { recursive: true, force: true });
});

const pool = (knownHosts = join(keys, "known_hosts")) => `clouds:
  rack:
    driver: existing
    hosts: [${hosts.map(({ address, port, user }) => `{ host: ${address}, port: ${port}, user: ${user} }`).join(", ")}]
    defaults: { ssh: { identity: '${join(keys, "id")}', known_hosts: '${knownHosts}', agent: false } }
defaults: { cloud: rack }
`;
const boot = (own: Installation, levels: string, name: string, knownHosts?: string) =>
  own.json(["boot", own.plan(`plan: rack\n${pool(knownHosts)}levels:\n${levels}`, {}, name), "--name", name]);
const left = () => hosts.flatMap(({ home }) => filesBelow(home));

test("two services take the pool's two hosts; programs run there; terminate gives both back and leaves no file", async () => {
  const own = installation();
  const write = (name: string) =>
    `echo $HOME \${self.host} > '${own.facts}/'${name}; echo $BOOTLEVEL_SERVICE > ~/made-by-$BOOTLEVEL_SERVICE`;
  const booted = await boot(
    own,
    `  - name: one
    services:
      web: { replicas: 2, boot: { command: "${write("$BOOTLEVEL_SERVICE")}" }, ready: { command: "test -f ~/made-by-$BOOTLEVEL_SERVICE" }, terminate: { command: "rm ~/made-by-$BOOTLEVEL_SERVICE" } }
`,
    "pool",
  );
  expect(booted).toMatchObject({ code: 0, document: { state: "ready" } });
  const place = (name: string) => (own.fact(name) ?? "").trim();
  expect([place("web-1"), place("web-2")].sort()).toEqual(
    hosts.map(({ home, address }) => `${home} ${address}`).sort(),
  );
  expect(await own.call(["status", "pool"])).toMatchObject({ code: 0 });
  expect(left().length).toBeGreaterThan(0);
  expect(await own.json(["terminate", "pool"])).toMatchObject({ code: 0, document: { runs: [{ failures: [] }] } });
  expect(left()).toEqual([]);
  for (const { home } of hosts) expect(readdirSync(join(home, ".bootlevel", "runs"))).toEqual([]);
  expect(hosts.flatMap(({ home }) => processesAt(join(home, ".bootlevel")))).toEqual([]);
  const again = await boot(
    own,
    "  - { name: one, services: { web: { replicas: 2, boot: { command: 'true' } } } }\n",
    "again",
  );
  expect(again.code).toBe(0);
});

test("a service with `host:` shares another's machine, and reaches it like that one at boot, status and terminate", async () => {
  const own = installation();
  const booted = await boot(
    own,
    `  - { name: one, services: { web: { replicas: 2, boot: { command: "touch ~/made-by-$BOOTLEVEL_SERVICE" }, terminate: { command: "rm ~/made-by-$BOOTLEVEL_SERVICE" } } } }
  - { name: two, services: { guest: { host: "\${web-2.host}", boot: { command: "test -f ~/made-by-web-2 && touch ~/made-by-guest" }, ready: { command: "test -f ~/made-by-guest" }, terminate: { command: "test -f ~/made-by-web-2 && rm ~/made-by-guest" } } } }
`,
    "guest",
  );
  expect(booted).toMatchObject({ code: 0, document: { state: "ready" } });
  const [status, ended] = [await own.json(["status", "guest"]), await own.json(["terminate", "guest"])];
  const made = left().filter((file) => file.includes("made-by"));
  for (const file of made) rmSync(file);
  expect(ended.document.runs[0].failures).toEqual([]);
  expect(status.document).toMatchObject({ healthy: true });
  expect(made).toEqual([]);
  expect(left()).toEqual([]);
});

test("a pool without a free host says which hosts are taken, and by whom; a host that is given back can be taken", async () => {
  const own = installation();
  expect(
    (await boot(own, "  - { name: one, services: { web: { replicas: 2, boot: { command: 'true' } } } }\n", "first"))
      .code,
  ).toBe(0);
  const { code, document } = await boot(
    own,
    "  - { name: one, services: { db: { boot: { command: 'true' } } } }\n",
    "second",
  );
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "db", step: "launch" }]);
  for (const [index, { address, port }] of hosts.entries())
    expect(document.failures[0].message).toContain(`${address}:${port} by first/web-${index + 1}`);
  expect(await own.call(["terminate", "first", "second", "--yes"])).toMatchObject({ code: 0 });
  expect((await boot(own, "  - { name: one, services: { db: { boot: { command: 'true' } } } }\n", "third")).code).toBe(
    0,
  );
});

test("more replicas than free hosts: those that got one become ready, the others fail, and all hosts come back", async () => {
  const own = installation();
  const web = (replicas: number) =>
    `  - { name: one, services: { web: { replicas: ${replicas}, boot: { command: 'true' } } } }\n`;
  // What can never fit is a mistake of the plan.
  const three = await boot(own, web(3), "three");
  expect(three.code).toBe(2);
  expect(three.document.error.message).toContain("has 2 hosts, but the plan's services need 3");
  expect((await boot(own, web(1), "first")).code).toBe(0);
  const { code, document } = await boot(own, web(2), "second");
  expect(code).toBe(1);
  expect(document.failures.map(({ service }: { service: string }) => service)).toEqual(["web-2"]);
  expect(await own.call(["terminate", "first", "second", "--yes"])).toMatchObject({ code: 0 });
  expect(
    (await boot(own, "  - { name: one, services: { web: { replicas: 2, boot: { command: 'true' } } } }\n", "two")).code,
  ).toBe(0);
});

test("a launcher killed while a boot program runs on a host: terminate ends that program before the host is given back", async () => {
  const own = installation();
  const folder = own.plan(`plan: rack\n${pool()}levels: [{ name: one, services: { db: { boot: boot.sh } } }]\n`, {
    "boot.sh": `#!/bin/sh\necho $$ > '${own.facts}/pid'\ndirname "$BOOTLEVEL_ATTRIBUTES" > '${own.facts}/memory'\ntouch '${own.facts}/begun'\nuntil test -f '${own.facts}/go'; do sleep 0.05; done\n`,
  });
  const running = own.start(["boot", folder, "--name", "killed"]);
  await eventually("the boot program runs", () => own.fact("begun") !== null);
  const memory = (own.fact("memory") ?? "").trim();
  expect(existsSync(memory)).toBe(true);
  running.child.kill("SIGKILL");
  await running.ended;
  try {
    expect((await own.json(["list"])).document.runs).toMatchObject([{ name: "killed", state: "interrupted" }]);
    expect(await own.call(["terminate", "killed", "--yes"])).toMatchObject({ code: 0 });
    expect({ alive: isAlive(Number(own.fact("pid"))), attributesInMemory: existsSync(memory), files: left() }).toEqual({
      alive: false,
      attributesInMemory: false,
      files: [],
    });
  } finally {
    own.plan("", { go: "" }, "facts");
    rmSync(memory, { recursive: true, force: true });
  }
});

test("a host with another key than the known one is refused, and both fingerprints are shown", async () => {
  const own = installation();
  await makeKey(join(own.directory, "other"));
  const other = readFileSync(join(own.directory, "other.pub"), "utf8").split(" ").slice(0, 2).join(" ");
  const knownHosts = join(own.directory, "known_hosts");
  writeFileSync(knownHosts, hosts.map(({ address, port }) => `[${address}]:${port} ${other}\n`).join(""));
  const { code, document } = await boot(
    own,
    `  - { name: one, services: { db: { boot: { command: "touch '${own.facts}/ran'" } } } }\n`,
    "wrong",
    knownHosts,
  );
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "db", step: "connect" }]);
  const { createHash } = await import("node:crypto");
  const print = (key: string) =>
    `SHA256:${createHash("sha256")
      .update(Buffer.from(key.split(" ")[1] ?? "", "base64"))
      .digest("base64")
      .replace(/=+$/, "")}`;
  const text = JSON.stringify(document.failures[0]);
  expect(text).toContain(print(other));
  expect(hosts.some(({ hostKey }) => text.includes(print(hostKey)))).toBe(true);
  expect(own.fact("ran")).toBeNull();
  expect(await own.call(["terminate", "wrong", "--yes"])).toMatchObject({ code: 0 });
});

test("a host that nobody knows is refused with what to do", async () => {
  const own = installation();
  writeFileSync(join(own.directory, "empty"), "");
  const { code, document } = await boot(
    own,
    "  - { name: one, services: { db: { boot: { command: 'true' } } } }\n",
    "unknown",
    join(own.directory, "empty"),
  );
  expect(code).toBe(1);
  expect(JSON.stringify(document.failures[0])).toMatch(/SHA256:[\s\S]*(ssh-keyscan|known_hosts|accept-new)/);
});

test("a port where nobody listens is a clear failure with the address in it, after the connect timeout and not before", async () => {
  const own = installation();
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.77.7.7", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const folder = own.plan(
    `plan: closed\nclouds: { rack: { driver: existing, hosts: [{ host: 127.77.7.7, port: ${port} }] } }\nlevels: [{ name: one, services: { db: { cloud: rack, ssh: { connect_timeout: 2s, identity: '${join(keys, "id")}' }, boot: { command: 'true' } } } }]\n`,
  );
  const { code, document } = await own.json(["boot", folder, "--name", "closed"]);
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "db", step: "connect" }]);
  expect(document.failures[0].message).toMatch(
    new RegExp(`127\\.77\\.7\\.7:${port}[\\s\\S]*within 2\\.0 s[\\s\\S]*(refused|ECONNREFUSED)`),
  );
  expect(await own.call(["terminate", "closed", "--yes"])).toMatchObject({ code: 0 });
});

test("the driver keeps its contract: same key, same host; unknown hosts are terminated; list tells one run's", async () => {
  const directory = stateDirectory();
  const options = { hosts: ["10.0.0.1", { host: "10.0.0.2", port: 2222, user: "admin", private_host: "192.168.0.2" }] };
  const driver = open(existing, { options, stateDirectory: directory });
  const first = await driver.launch([request("a"), request("b", "run2"), request("c")], never);
  expect(first).toMatchObject([
    {
      key: "a",
      kind: "launched",
      machine: {
        id: "10.0.0.1/a",
        state: "running",
        access: { kind: "ssh", host: "10.0.0.1", port: null, user: null, exclusive: true },
      },
    },
    {
      key: "b",
      kind: "launched",
      machine: {
        id: "10.0.0.2:2222/b",
        host: "10.0.0.2",
        privateHost: "192.168.0.2",
        access: { port: 2222, user: "admin" },
      },
    },
    { key: "c", kind: "failed", leftover: null },
  ]);
  expect(
    await open(existing, { options, stateDirectory: directory }).launch([request("b", "run2"), request("a")], never),
  ).toMatchObject([{ machine: { id: "10.0.0.2:2222/b" } }, { machine: { id: "10.0.0.1/a" } }]);
  expect((await driver.list({ installation: "here", run: "run2" }, never)).map(({ id }) => id)).toEqual([
    "10.0.0.2:2222/b",
  ]);
  expect(await driver.describe(["nowhere", "10.0.0.1/a"], never)).toMatchObject([
    { id: "nowhere", state: "terminated" },
    { id: "10.0.0.1/a", state: "running" },
  ]);
  for (let time = 0; time < 2; time += 1)
    expect(await driver.terminate(["10.0.0.1/a", "nowhere"], never)).toEqual([
      { id: "10.0.0.1/a", kind: "terminated" },
      { id: "nowhere", kind: "terminated" },
    ]);
  expect(await driver.launch([request("c")], never)).toMatchObject([
    { kind: "launched", machine: { id: "10.0.0.1/c" } },
  ]);
});

test("a host written with its usual port and without is one host: it is not given to two machines", async () => {
  const directory = stateDirectory();
  const launch = (host: unknown, key: string) =>
    open(existing, { options: { hosts: [host] }, stateDirectory: directory }).launch([request(key)], never);
  expect(await launch("10.0.0.9", "a")).toMatchObject([{ kind: "launched" }]);
  expect(await launch({ host: "10.0.0.9", port: 22 }, "b")).toMatchObject([{ kind: "failed" }]);
});

test("an exhausted pool names the holders of its own hosts only", async () => {
  const directory = stateDirectory();
  await open(existing, { options: { hosts: ["10.0.0.1"] }, stateDirectory: directory }).launch(
    [request("a", "elsewhere")],
    never,
  );
  const driver = open(existing, { options: { hosts: ["10.0.0.2"] }, stateDirectory: directory });
  const [, refused] = await driver.launch([request("b", "holder"), request("c")], never);
  const words = refused?.kind === "failed" ? refused.error.message : "";
  expect(words).toContain("10.0.0.2 by holder-name/b");
  expect(words).not.toContain("elsewhere");
});

test("terminate by a run that lost its host long ago does not take the host from the run that has it now", async () => {
  const directory = stateDirectory();
  const driver = open(existing, { options: { hosts: ["10.0.0.8"] }, stateDirectory: directory });
  await driver.launch([request("old", "run1")], never);
  await driver.terminate(["10.0.0.8/old"], never);
  await driver.launch([request("new", "run2")], never);
  await driver.terminate(["10.0.0.8/old"], never); // the first run's terminate, called again
  expect((await driver.list({ installation: "here", run: "run2" }, never)).map(({ host }) => host)).toEqual([
    "10.0.0.8",
  ]);
});
