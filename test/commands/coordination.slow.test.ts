/**
 * Services that talk while they start: what one sets is there for the others, and nobody waits for what cannot come.
 */
import { afterEach, expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { eventually } from "../support/eventually.js";
import { levels } from "../support/liveRun.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

const pools: SshPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
});

test("a value that one service sets wakes everyone in its level that waits for it, by link and by name", async () => {
  const own = installation();
  const folder = own.plan(
    levels("talk", [
      `
    server: { outputs: [port, ready], boot: { command: "bl set port 8080; until test -f '${own.facts}/go'; do sleep 0.05; done; printf 'yes, really\\n' | bl set ready" } }
    client: { replicas: 3, inputs: { webserver.ready: server.ready, webserver.port: server.port, mode: fast }, boot: { command: "set -e; bl get webserver.port >/dev/null; touch '${own.facts}/waits-'$BOOTLEVEL_REPLICA; { bl get webserver.ready --raw; bl get server:port; bl get mode; bl get replica; bl get replicas; bl get ids; } > '${own.facts}/client-'$BOOTLEVEL_REPLICA" } }
  `,
    ]),
  );
  const boot = own.start(["boot", folder, "--name", "talk"]);
  await eventually("all clients wait", () => own.factNames().filter((name) => name.startsWith("waits-")).length === 3);
  own.plan("", { go: "" }, "facts");
  expect((await boot.ended).code).toBe(0);
  for (const replica of ["1", "2", "3"])
    expect(own.fact(`client-${replica}`)).toBe(`yes, really\n8080\nfast\n${replica}\n3\n1,2,3\n`);
  const { document } = await own.json(["show", "talk"]);
  expect(document.levels[0].services[0].attributes).toMatchObject({
    port: { value: "8080" },
    ready: { value: "yes, really\n" },
  });
}, 40_000);

test("what the call says of inputs and replicas goes before the plan, in a reload too; a replica's number is never used again", async () => {
  const own = installation();
  const tell = (name: string) => `echo \${self.replica} \${self.port} \${self.site} >> '${own.facts}/${name}'`;
  const text = (more = "") =>
    levels("given", [
      `client: { replicas: 2, inputs: { port: 80, site: { value: example.com } }, boot: { command: "${tell("boot")}" }${more} }`,
    ]);
  const folder = own.plan(text());
  expect(
    await own.call(["boot", folder, "--name", "given", "--set", "client.port=8081", "--replicas", "client=3"]),
  ).toMatchObject({ code: 0 });
  const lines = () => (own.fact("boot") ?? "").trim().split("\n").sort();
  expect(lines()).toEqual(["1 8081 example.com", "2 8081 example.com", "3 8081 example.com"]);
  expect(await own.call(["reload", "given", folder, "--yes", "--replicas", "client=1"])).toMatchObject({ code: 0 });
  expect(await own.call(["reload", "given", folder, "--yes", "--replicas", "client=3"])).toMatchObject({ code: 0 });
  expect(lines().slice(3)).toEqual(["4 8081 example.com", "5 8081 example.com"]);
  const { document } = await own.json(["show", "given"]);
  expect(document.levels[0].services.map((service: { name: string }) => service.name).sort()).toEqual([
    "client-1",
    "client-4",
    "client-5",
  ]);
  expect(document.levels[0].services[0].attributes).toMatchObject({
    replicas: { value: "3" },
    ids: { value: "1,4,5" },
  });
}, 60_000);

test("what the call says goes with a service that gets another name", async () => {
  const own = installation();
  const text = (name: string, more: string) =>
    levels("given", [
      `${name}: { ${more}replicas: 1, inputs: { port: 80 }, boot: { command: "echo \${self.replica} \${self.port} >> '${own.facts}/ran'" } }`,
    ]);
  expect(
    await own.call([
      "boot",
      own.plan(text("client", "")),
      "--name",
      "given",
      "--set",
      "client.port=8081",
      "--replicas",
      "client=2",
    ]),
  ).toMatchObject({ code: 0 });
  const renamed = own.plan(text("visitor", "was: client, "));
  const { document } = await own.json(["reload", "given", renamed, "--dry-run"]);
  expect(document.changes.map(({ name, action }: { name: string; action: string }) => [name, action])).toEqual([
    ["visitor-1", "keep"],
    ["visitor-2", "keep"],
  ]);
  expect(await own.call(["reload", "given", renamed, "--yes"])).toMatchObject({ code: 0 });
  expect(await own.call(["reload", "given", renamed, "--yes", "--replicas", "visitor=3"])).toMatchObject({ code: 0 });
  expect((own.fact("ran") ?? "").trim().split("\n").sort()).toEqual(["1 8081", "2 8081", "3 8081"]);
}, 60_000);

test("each mistake in inputs is named with its place, and so is each in the call", async () => {
  const own = installation();
  const folder = own.plan(
    levels("wrong", [
      `
    server: { outputs: [port], boot: { command: "true" } }
    client: { replicas: 2, inputs: { a: server.prot, b: {}, c: later.host, d: nobody.port, e: client.host, f: { from: nonsense }, host: x }, boot: { command: "true" } }
  `,
      "later: {}",
    ]),
  );
  const ended = await own.call([
    "validate",
    folder,
    "--set",
    "client.x=1",
    "--set",
    "nobdy.x=1",
    "--replicas",
    "server2=3",
  ]);
  expect(ended.code).toBe(2);
  for (const words of [
    'has no output "prot", did you mean "port"?',
    'input "b" of service "client" has no value, link or default: write b: SERVICE.OUTPUT or a value',
    'service "later" is in the later level',
    'unknown service "nobody"',
    'an input of service "client" cannot be linked to the service itself',
    "malformed link: write SERVICE.OUTPUT",
    '"host" is a built-in attribute of every service',
    '--set client.x: service "client" has no input "x"',
    "--set nobdy",
    '--replicas server2: unknown service "server2", did you mean "server"?',
  ])
    expect(ended.stderr).toContain(words);
});

test("a program is refused what is not its own, by exit codes of their own", async () => {
  const own = installation();
  const folder = own.plan(
    levels("codes", [
      `
    a: { outputs: [x, { name: key, secret: true }], boot: { command: "bl set x 1; bl set key s3cret-value" } }
    b: { boot: { program: b.sh } }
    c: { inputs: { mine: a.key }, boot: { command: "bl get mine > '${own.facts}/mine'" } }
  `,
    ]),
    {
      "b.sh": `#!/bin/sh\ntry() { "$@" >>'${own.facts}/out' 2>&1; echo "$? $*" >>'${own.facts}/codes'; }\nbl get a:x >/dev/null\ntry bl get a:x\ntry bl get a:nope\ntry bl get nobody:x\ntry bl set x 1\ntry bl set host 1\ntry bl get a:key\ntry bl get\ntry bl set 'b c' 1\ntry bl barrier go --parties 2 --timeout 0.2\ntry bl frobnicate\n`,
    },
  );
  expect(await own.call(["boot", folder, "--name", "codes"])).toMatchObject({ code: 0 });
  expect(own.fact("codes")?.trim().split("\n")).toEqual([
    "0 bl get a:x",
    "7 bl get a:nope",
    "7 bl get nobody:x",
    "7 bl set x 1",
    "7 bl set host 1",
    "7 bl get a:key",
    "2 bl get",
    expect.stringMatching(/^[27] bl set b c 1$/),
    "9 bl barrier go --parties 2 --timeout 0.2",
    "2 bl frobnicate",
  ]);
  expect(own.fact("mine")).toBe("s3cret-value\n");
  expect(own.fact("out")).toContain("secret; only a service that declares it as an input");
}, 40_000);

test("a circle of waits is told while it stands, and named by the wait that gives up; whoever waits for its service is told at once", async () => {
  const own = installation();
  const folder = own.plan(
    levels("circle", [
      `
    a: { outputs: [x], boot: { command: "set -e; bl get b:y --timeout 0; bl set x 1" } }
    b: { outputs: [y], boot: { command: "set -e; bl get c:z --timeout 4; bl set y 1" } }
    c: { outputs: [z], boot: { command: "set -e; bl get a:x --timeout 0; bl set z 1" } }
  `,
    ]),
  );
  const ended = await own.call(["boot", folder, "--name", "circle"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/warning deadlock: .*a waits for b\.y/);
  expect(ended.stdout).toMatch(
    /bl: waited 4 s for c\.z; deadlock: .*b waits for c\.z, c waits for a\.x, a waits for b\.y/,
  );
  expect(ended.stdout).toContain("b failed: the boot program failed: exit code 9, so the wait for b.y cannot succeed");
}, 40_000);

test("a wait for a later level is a circle too", async () => {
  const own = installation();
  const folder = own.plan(
    levels("later", ['a: { boot: { command: "bl get z:host --timeout 4" } }', "z: {}"], "prelaunch: none\n"),
  );
  const ended = await own.call(["boot", folder, "--name", "later"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/waited 4 s for z\.host; deadlock: .*a waits for z\.host, z waits for level "l1"/);
}, 40_000);

test("machines over SSH and here talk to each other, and what they say is shown", async () => {
  const pool = await startSshPool(2);
  pools.push(pool);
  const own = installation();
  const folder = own.plan(
    levels(
      "mixed",
      [
        `
    far: { replicas: 2, outputs: [x], boot: { command: "bl say hello from $BOOTLEVEL_SERVICE; bl barrier go; echo $(bl get near:y) | bl set x" } }
    near: { cloud: local, outputs: [y, sum], boot: { command: "bl set y 7; bl get 'far-*:x' | tr -d '\\\\n' | bl set sum" } }
  `,
      ],
      pool.head,
    ),
  );
  const ended = await own.call(["boot", folder, "--name", "mixed"]);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stdout).toContain("far-1 says: hello from far-1");
  const { document } = await own.json(["status", "mixed"]);
  expect(document.services.map(({ said }: { said: string | null }) => said)).toEqual([
    "hello from far-1",
    "hello from far-2",
    null,
  ]);
  const shown = await own.json(["show", "mixed"]);
  expect(shown.document.levels[0].services[2].attributes.sum.value).toBe("7,7");
}, 60_000);
