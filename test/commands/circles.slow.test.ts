/** Waits that cannot end: each ends all the same, with words that say why; waits that can are left alone. */
import { afterEach, expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { eventually } from "../support/eventually.js";
import { begun, letGo, levels, shownServices, waitFor } from "../support/liveRun.js";
import { usersOf } from "../support/coordination.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

const pools: SshPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
});

test("circles of waits for ever end after half a minute, those of different knots at once, whatever they go through; others go on", async () => {
  const pool = await startSshPool(2);
  pools.push(pool);
  const own = installation();
  const wait = (name: string, more = "") => `boot: { command: "set -e; bl get ${name} --timeout 0; ${more}" }`;
  const local = "cloud: local, ";
  const folder = own.plan(
    levels(
      "odd",
      [
        `
    a: { ${local}outputs: [x], ${wait("b:y", "bl set x 1")} }
    b: { ${local}outputs: [y], boot: { command: "set -e; bl get slow:x --timeout 0 & bl get a:x --timeout 0; bl set y 1" } }
    far: { replicas: 2, outputs: [x], ${wait("near:y", "bl set x 1")} }
    near: { ${local}outputs: [y], ${wait("far-1:x", "bl set y 1")} }
    own: { ${local}outputs: [x], ${wait("own:x", "bl set x 1")} }
    m: { ${local}replicas: 3, outputs: [v], boot: { command: "set -e; test $BOOTLEVEL_REPLICA = 3 && bl get m-1:v --timeout 0; bl barrier met --timeout 0; bl set v 1" } }
    later: { ${local}outputs: [r], ${wait("job:verdict", "bl set r 1")} }
    job: { ${local}outputs: [verdict], boot: { command: "sleep 4" }, execute: { command: "bl set verdict 1" } }
    slow: { ${local}outputs: [x], boot: { command: "sleep 33; bl set x 1" } }
    child: { ${local}outputs: [x], boot: { command: "(sleep 5; bl set x 7) & bl get x --timeout 0 > '${own.facts}/child'" } }
    helped: { ${local}outputs: [x], ${wait("helper:x", "bl set x 1")} }
    helper: { ${local}outputs: [x], boot: { command: "set -e; { sleep 4; bl set x 7; } & bl get helped:x --timeout 0 > '${own.facts}/helped'" } }
  `,
        "z: { cloud: local }",
      ],
      `${pool.head}prelaunch: none\n`,
    ),
  );
  const ended = await own.call(["boot", folder, "--name", "odd"]);
  expect(ended.code).toBe(1);
  expect(own.fact("child")).toBe("7\n");
  expect(own.fact("helped")).toBe("1\n");
  // Who is named first depends on who began to wait first.
  const named = (pattern: RegExp) =>
    [
      ...new Set([...ended.stdout.matchAll(pattern)].map(([, words = ""]) => words.split(", ").sort().join(", "))),
    ].sort();
  const ending = [
    "a waits for b.y, b waits for a.x",
    'job waits for level "l1", later waits for job.verdict, level "l1" waits for later',
    'm-1 waits for m-3 at barrier "met", m-3 waits for m-1.v',
    "far-1 waits for near.y, near waits for far-1.x",
    "own waits for own.x",
  ];
  expect(named(/warning deadlock: (.*)/g)).toEqual(
    [...ending, "child waits for child.x", "helped waits for helper.x, helper waits for helped.x"].sort(),
  );
  expect(named(/which cannot come because of a deadlock: (.*)/g)).toEqual([...ending].sort());
  // What has to do with nobody's circle goes on, and with it a wait of one that is in one.
  expect(ended.stdout).toMatch(/ slow ready/);
  expect(ended.stdout).not.toContain("waited for slow.x");
}, 90_000);

test("everybody in a circle is told of it in the end: who waits too long first, who does so afterwards, and whose service has failed by it", async () => {
  const own = installation();
  const names = ["a", "b", "c", "d", "e", "f"];
  const services = names.map(
    (name, index) =>
      `${name}: { outputs: [x], boot: { command: "set -e; bl barrier all --parties ${names.length}; bl get ${names[(index + 1) % names.length]}:x --timeout 5; bl set x 1" } }`,
  );
  const ended = await own.call(["boot", own.plan(levels("ring", [services.join("\n")])), "--name", "ring"]);
  expect(ended.code).toBe(1);
  const words = [...ended.stdout.matchAll(/boot \| bl: (.*)/g)].map(([, line = ""]) => line);
  expect(words).toHaveLength(names.length);
  for (const line of words)
    expect(line).toMatch(/deadlock.*: [a-f] waits for [a-f]\.x(, [a-f] waits for [a-f]\.x){5}$/);
}, 40_000);

test("who comes to a barrier after a replica has failed, or has become ready without it, is told so at once", async () => {
  const own = installation();
  const come = (code: string) =>
    `boot: { command: "test $BOOTLEVEL_REPLICA = 1 && exit ${code}; sleep 2; bl barrier met --timeout 0" }`;
  const folder = own.plan(
    levels("late", [`failed: { replicas: 2, ${come("3")} }\nready: { replicas: 2, ${come("0")} }`]),
  );
  const ended = await own.call(["boot", folder, "--name", "late"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain(
    'bl: failed-1 failed: the boot program failed: exit code 3, so the wait for barrier "met" cannot succeed',
  );
  expect(ended.stdout).toMatch(/ ready-2 ready/);
}, 40_000);

test("who waits too long at a barrier is told who never came, also when others have given up before", async () => {
  const own = installation();
  const folder = own.plan(
    levels("few", [
      `m: { replicas: 4, boot: { command: "bl barrier all; if test $BOOTLEVEL_REPLICA != 3; then bl barrier met --timeout 4; touch '${own.facts}/late-$BOOTLEVEL_REPLICA'; fi; ${waitFor(own, "third")}" } }`,
    ]).replaceAll(`'${own.facts}/late-$BOOTLEVEL_REPLICA'`, `'${own.facts}'/late-$BOOTLEVEL_REPLICA`),
  );
  // Whoever gives up stays until all have: those who wait for one that has ended are told that, and not who is missing.
  const boot = own.start(["boot", folder, "--name", "few"]);
  await eventually(
    "three have waited too long",
    () => own.factNames().filter((name) => name.startsWith("late-")).length === 3,
  );
  letGo(own, "third");
  expect(await boot.ended).toMatchObject({ code: 0 });
  const words = (await own.call(["logs", "few"])).stdout
    .split("\n")
    .flatMap((line) => /waited 4 s for barrier "met"; (.*)/.exec(line)?.[1] ?? [])
    .sort();
  expect(words.map((line) => line.replace(/m-[124]/g, "M"))).toEqual([
    "1 of 4 waiting, 2 more gave up: M; missing: m-3",
    "2 of 4 waiting, 1 more gave up: M, M; missing: m-3",
    "3 of 4 waiting: M, M, M; missing: m-3",
  ]);
}, 40_000);

test("a replica that came to a barrier and ended before the launcher was killed is not waited for when another one comes again", async () => {
  const own = installation();
  // Ends as a program whose `bl` nobody answered in time, once.
  const again = `'${own.facts}/again'`;
  const second = `${waitFor(own, "second")}; test -e ${again} || { touch ${again}; exit 10; }`;
  const folder = own.plan(
    levels("passed", [
      `m: { replicas: 2, boot: { command: "set -e; echo $BOOTLEVEL_REPLICA >> '${own.facts}/ran'; bl barrier met --timeout 20 || exit $?; test $BOOTLEVEL_REPLICA = 1 || { ${second} || exit $?; }" } }`,
    ]),
  );
  const boot = own.start(["boot", folder, "--name", "passed"]);
  await begun(own, "second");
  await eventually(
    "the first one is ready",
    async () => (await shownServices(own, "passed"))["m-1"]?.state === "ready",
  );
  boot.child.kill("SIGKILL");
  await boot.ended;
  letGo(own, "second");
  await eventually("the second one has ended", () => usersOf(own.home).length === 0);
  expect(await own.call(["boot", "--resume", "passed"])).toMatchObject({ code: 0 });
  expect(own.fact("ran")?.split("\n").sort()).toEqual(["", "1", "2", "2"]);
}, 40_000);
