/** The mirror image of boot: order, failures, repetition. */
import { rmSync } from "node:fs";

import { test, expect } from "@jest/globals";

import { installation } from "../support/installation.js";
import { isAlive } from "../support/eventually.js";

const shown = async (own: ReturnType<typeof installation>, run: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await own.json(["show", run])).document.levels.flatMap((level: { services: { name: string; state: string }[] }) =>
      level.services.map(({ name, state }) => [name, state]),
    ),
  );

test("terminate programs run from the last level to the first, side by side in a level, each before its machine ends", async () => {
  const own = installation();
  const alive = (name: string) =>
    `test -f ~/home-is-there && kill -0 $(cat ~/server) && echo ${name} alive >> '${own.facts}/order'`;
  // Those of one level wait for each other: one after the other they would never end.
  const note = (name: string, beside = name) =>
    `terminate: { command: "echo ${name} begin >> '${own.facts}/order'; until grep -q '${beside} begin' '${own.facts}/order'; do sleep 0.05; done; ${alive(name)}; echo ${name} end >> '${own.facts}/order'" }`;
  const boot = "boot: { command: 'sleep 3200 & echo $! > ~/server; touch ~/home-is-there' }";
  const folder = own.plan(
    `plan: order\nlevels:\n  - { name: one, services: { a: { ${boot}, ${note("a")} } } }\n  - { name: two, services: { b: { ${boot}, ${note("b", "c")} }, c: { ${boot}, ${note("c", "b")} } } }\n  - { name: three, services: {} }\n  - { name: four, services: { d: { ${boot}, ${note("d")} } } }\n`,
  );
  expect(await own.call(["boot", folder, "--name", "order"])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "order", "--yes"])).toMatchObject({ code: 0 });
  const lines = (own.fact("order") ?? "").trim().split("\n");
  const one = (name: string) => ["begin", "alive", "end"].map((word) => `${name} ${word}`);
  expect([lines.slice(0, 3), lines.slice(3, 9).sort(), lines.slice(9)]).toEqual([
    one("d"),
    [...one("b"), ...one("c")].sort(),
    one("a"),
  ]);
});

const failing = (facts: string) => `plan: stuck
levels:
  - name: one
    services:
      low: { boot: { command: "sleep 3201 & echo $! > '${facts}/low'" }, terminate: { command: "echo low >> '${facts}/ran'" } }
  - name: two
    services:
      bad: { boot: { command: "sleep 3201 & echo $! > '${facts}/bad'" }, terminate: { command: "echo cannot dump; test -f '${facts}/mended'" } }
      good: { boot: { command: "sleep 3201 & echo $! > '${facts}/good'" }, terminate: { command: "echo good >> '${facts}/ran'" } }
`;

test("a terminate program that fails keeps its machine and the levels below; after mending, terminate ends the rest", async () => {
  const own = installation();
  expect(await own.call(["boot", own.plan(failing(own.facts)), "--name", "stuck"])).toMatchObject({ code: 0 });
  const alive = () => ["low", "bad", "good"].filter((name) => isAlive(Number(own.fact(name))));
  const ended = await own.call(["terminate", "stuck", "--yes"]);
  expect(ended.code).toBe(1);
  for (const words of ["cannot dump", "--force", "stuck is not terminated"]) expect(ended.stdout).toContain(words);
  expect(alive()).toEqual(["low", "bad"]);
  expect(own.fact("ran")).toBe("good\n");
  expect(await shown(own, "stuck")).toEqual({ low: "ready", bad: "failed", good: "terminated" });
  expect((await own.call(["status", "stuck"])).code).toBe(1);
  own.plan("", { mended: "" }, "facts");
  expect(await own.call(["terminate", "stuck", "--yes"])).toMatchObject({ code: 0 });
  expect(alive()).toEqual([]);
  expect(own.fact("ran")).toBe("good\nlow\n");
  expect(await shown(own, "stuck")).toEqual({ low: "terminated", bad: "terminated", good: "terminated" });
});

test("--force leaves the terminate programs out", async () => {
  const own = installation();
  expect(await own.call(["boot", own.plan(failing(own.facts)), "--name", "stuck"])).toMatchObject({ code: 0 });
  expect((await own.call(["terminate", "stuck", "--yes"])).code).toBe(1);
  expect(await own.call(["terminate", "stuck", "--yes", "--force"])).toMatchObject({ code: 0 });
  expect(own.fact("ran")).toBe("good\n");
  expect(["low", "bad", "good"].filter((name) => isAlive(Number(own.fact(name))))).toEqual([]);
});

test("a terminate program that refers to an output that was never made fails with the way out", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: never\nlevels: [{ name: one, services: { a: { outputs: [id], boot: { command: 'exit 1' }, terminate: { command: 'echo ${self.id}' } } } }]\n",
  );
  expect((await own.call(["boot", folder, "--name", "never"])).code).toBe(1);
  const { code, document } = await own.json(["terminate", "never"]);
  expect(code).toBe(1);
  expect(document.runs[0].failures).toMatchObject([{ service: "a", step: "terminate" }]);
  expect(document.runs[0].failures[0].message).toContain("id} has no value");
  expect(document.runs[0].failures[0].remedy).toContain("--force");
});

test("two runs in one call both end; a name that is unknown ends the command before anything is ended", async () => {
  const own = installation();
  const folder = own.plan("plan: pair\nlevels: [{ name: one, services: { a: { boot: { command: 'true' } } } }]\n");
  for (const name of ["one", "two"])
    expect(await own.call(["boot", folder, "--name", name])).toMatchObject({ code: 0 });
  expect((await own.call(["terminate", "one", "ghost", "two", "--yes"])).code).toBe(2);
  expect((await own.json(["list"])).document.runs).toHaveLength(2);
  const ended = await own.call(["terminate", "one", "2", "one", "--yes"]);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toMatch(/one is terminated: 1 machine ended[\s\S]*two is terminated: 1 machine ended/);
  expect((await own.json(["list"])).document.runs).toEqual([]);
  expect((await own.json(["list", "--all"])).document.runs).toHaveLength(2);
});

test("terminate of a terminated run is fine and changes nothing; its status is 1", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: over\nlevels: [{ name: one, services: { a: { boot: { command: 'true' }, terminate: { command: "echo x >> '${own.facts}/ran'" } } } }]\n`,
  );
  await own.call(["boot", folder, "--name", "over"]);
  expect(await own.call(["terminate", "over", "--yes"])).toMatchObject({ code: 0 });
  const events = (await own.json(["events", "over"])).document.events;
  expect(await own.call(["terminate", "over", "--yes"])).toMatchObject({ code: 0, stderr: "" });
  expect((await own.json(["events", "over"])).document.events).toEqual(events);
  expect(own.fact("ran")).toBe("x\n");
  const status = await own.json(["status", "over"]);
  expect(status).toMatchObject({ code: 1, document: { state: "terminated", healthy: false } });
});

test("a service whose boot program never started has nothing to terminate", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: half\nlevels:\n  - { name: one, services: { a: { boot: { command: 'exit 1' }, terminate: { command: "echo a >> '${own.facts}/ran'" } } } }\n  - { name: two, services: { b: { boot: { command: 'true' }, terminate: { command: "echo b >> '${own.facts}/ran'" } } } }\n`,
  );
  expect((await own.call(["boot", folder, "--name", "half"])).code).toBe(1);
  expect(await own.call(["terminate", "half", "--yes"])).toMatchObject({ code: 0 });
  expect(own.fact("ran")).toBe("a\n");
});

test("terminate needs neither the plan nor its programs any more", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: gone\nlevels: [{ name: one, services: { a: { boot: { command: 'true' }, terminate: bye.sh } } }]\n",
    { "bye.sh": `#!/bin/sh\necho bye > '${own.facts}/ran'\n` },
  );
  await own.call(["boot", folder, "--name", "gone"]);
  rmSync(folder, { recursive: true });
  expect(await own.call(["terminate", "gone", "--yes"])).toMatchObject({ code: 0 });
  expect(own.fact("ran")).toBe("bye\n");
});
