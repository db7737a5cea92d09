/** Repair: what is not well is mended, and nothing else is touched. */
import { rmSync } from "node:fs";

import { test, expect } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import {
  begun,
  boot,
  letGo,
  levels,
  localMachines,
  loseMachine,
  shownServices,
  tell,
  told,
  waitFor,
} from "../support/liveRun.js";

/**
 * `db` is referred to by `web` (boot), `eye` (ready) and `big` (its machine's size); `guest` is on its machine; `other`
 * and `lone` know nothing of it.
 */
const shop = (own: Installation) =>
  levels("shop", [
    `db: { boot: { command: "cd; touch up; ${tell(own, "db")}" }, ready: { command: "cd; test -f up", retries: 0 }, terminate: { command: "${tell(own, "db-ends")}" } }
   other: { boot: { command: "${tell(own, "other")}" } }`,
    `web: { replicas: 2, boot: { command: "${tell(own, "web \${db.host}")}" } }
   guest: { host: "\${db.host}", boot: { command: "${tell(own, "guest")}" } }
   lone: { boot: { command: "${tell(own, "lone")}" } }`,
    `lb: { boot: { command: "${tell(own, "lb \${web.*.host}")}" } }
   eye: { ready: { command: "test '\${db.host}'" } }
   big: { size: "for-\${db.host}", boot: { command: "${tell(own, "big")}" }, terminate: { command: "${tell(own, "big-ends")}" } }`,
  ]);

test("a run that is well: nothing, 0, and one document that says so", async () => {
  const own = installation();
  await boot(own, own.plan(shop(own)), "shop");
  const events = (await own.json(["events", "shop"])).document.events.length;
  expect(await own.json(["repair", "shop"])).toMatchObject({
    code: 0,
    document: {
      version: 1,
      command: "repair",
      run: "shop",
      state: "ready",
      tasks: [],
      blocked: [],
      refused: null,
      failures: [],
      cloudUnreachable: false,
    },
  });
  expect((await own.call(["repair", "shop"])).stdout).toBe("shop is healthy: nothing to repair.\n");
  expect(told(own)).toEqual([]);
  expect((await own.json(["events", "shop"])).document.events).toHaveLength(events);
});

test("a lost machine is replaced, those that refer to it follow, each as far as it must, and no other", async () => {
  const own = installation();
  await boot(own, own.plan(shop(own)), "shop");
  const before = await shownServices(own, "shop");
  loseMachine(own, "db");
  const dry = await own.json(["repair", "shop", "--dry-run"]);
  expect(dry).toMatchObject({ code: 1, document: { tasks: [{ service: "db", stage: "discard" }], refused: null } });
  expect(told(own)).toEqual([]);
  expect((await own.json(["repair", "shop"])).code).toBe(0);
  const after = await shownServices(own, "shop");
  const { host } = after["db"];
  expect(told(own).sort()).toEqual(["big", "big-ends", "db", "guest", `web ${host}`, `web ${host}`]);
  const changed = Object.keys(after).filter((name) => after[name].machine !== before[name].machine);
  expect(changed).toEqual(["db", "big"]);
  expect(localMachines(own)).toEqual(["big.2", "db.2", "eye.1", "lb.1", "lone.1", "other.1", "web-1.1", "web-2.1"]);
  expect((await own.call(["status", "shop"])).code).toBe(0);
  const again = await own.json(["events", "shop"]);
  expect(
    again.document.events.filter(
      ({ type, service, data }: { type: string; service: string; data: { step?: string } }) =>
        type === "step-started" && service === "eye" && data.step === "ready",
    ).length,
  ).toBe(2);
});

test("where the machine is fine and the service is not, it boots again there", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("cold", [
        `a: { boot: { command: "cd; touch up; ${tell(own, "a")}" }, ready: { command: "cd; test -f up", retries: 0 } }`,
        `b: { boot: { command: "${tell(own, "b \${a.host}")}" } }`,
      ]),
    ),
    "cold",
  );
  const machine = (await shownServices(own, "cold"))["a"].machine as string;
  rmSync(`${own.home}/drivers/local/machines/${machine}/home/up`);
  expect(await own.json(["repair", "cold"])).toMatchObject({
    code: 0,
    document: { state: "ready", tasks: [{ service: "a", stage: "boot" }] },
  });
  expect(told(own)).toEqual(["a"]);
  expect(localMachines(own)).toEqual(["a.1", "b.1"]);
});

test("more lost machines than a third: it is said, nothing is touched; --max-replacements allows it, --replace does not count", async () => {
  const own = installation();
  await boot(own, own.plan(shop(own)), "shop");
  for (const service of ["web-1", "web-2", "lone"]) loseMachine(own, service);
  const refused = await own.call(["repair", "shop"]);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain("3 of 8 machines would be replaced, and the limit is 2: nothing was changed");
  expect(refused.stdout).toContain("--max-replacements 3");
  expect(localMachines(own)).toEqual(["big.1", "db.1", "eye.1", "lb.1", "other.1"]);
  const { code } = await own.call(["repair", "shop", "--max-replacements", "3", "--replace", "other"]);
  expect(code).toBe(0);
  expect(
    told(own)
      .filter((word) => !/^(web|lb)/.test(word))
      .sort(),
  ).toEqual(["lone", "other"]);
  expect(localMachines(own)).toEqual(["big.1", "db.1", "eye.1", "lb.1", "lone.2", "other.2", "web-1.2", "web-2.2"]);
});

test("--replace runs the terminate program on the old machine; an unknown service and a wrong number are the caller's mistakes", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(
      levels("one", [
        `db: { boot: { command: "${tell(own, "boot")}" }, terminate: { command: "${tell(own, "end")}" } }\nweb: { replicas: 2 }`,
      ]),
    ),
    "one",
  );
  expect(await own.call(["repair", "one", "--replace", "db"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["end", "boot"]);
  expect(await own.call(["repair", "one", "--replace", "db", "--force"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["boot"]);
  for (const [words, message] of [
    [["--replace", "wbe"], 'did you mean "web"?'],
    [["--max-replacements", "-1"], "whole number"],
    [["--wait", "5"], "30s or 5m"],
  ] as const) {
    const wrong = await own.call(["repair", "one", ...words]);
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toContain(message);
    expect(wrong.stderr).not.toMatch(/^ +at /m);
  }
});

test("a run that failed half-way is finished; a ready program that passes again by itself costs no boot", async () => {
  const own = installation();
  const folder = own.plan(
    levels("half", [
      `a: { boot: { command: "${tell(own, "a")}; test -f '${own.facts}/go-boot'" } }
     r: { boot: { command: "${tell(own, "r")}" }, ready: { command: "test -f '${own.facts}/go-ready'", retries: 0 } }`,
      `z: { boot: { command: "${tell(own, "z")}" } }`,
    ]),
  );
  expect((await own.call(["boot", folder, "--name", "half"])).code).toBe(1);
  told(own);
  letGo(own, "boot", "ready");
  expect(await own.json(["repair", "half"])).toMatchObject({
    code: 0,
    document: {
      state: "ready",
      tasks: [
        { service: "a", stage: "boot" },
        { service: "r", stage: "verify" },
        { service: "z", stage: "launch" },
      ],
    },
  });
  expect(told(own)).toEqual(["a", "z"]);
});

test("a machine that was lost while its boot program ran is replaced", async () => {
  const own = installation();
  const folder = own.plan(levels("lost", [`a: { boot: { command: "${tell(own, "a")}; ${waitFor(own, "a")}" } }`]));
  const first = own.start(["boot", folder, "--name", "lost"]);
  await begun(own, "a");
  first.child.kill("SIGKILL");
  await first.ended;
  loseMachine(own, "a");
  letGo(own, "a");
  expect((await own.call(["repair", "lost"])).code).toBe(0);
  expect(told(own)).toEqual(["a", "a"]);
  expect(localMachines(own)).toEqual(["a.2"]);
});

test("runs that are terminated, being taken down or unknown: 2, and the next step is said", async () => {
  const own = installation();
  await boot(own, own.plan(levels("down", [`a: { terminate: { command: "test -f '${own.facts}/go-end'" } }`])), "down");
  expect((await own.call(["terminate", "down", "--yes"])).code).toBe(1);
  expect(await own.json(["repair", "down"])).toMatchObject({
    code: 2,
    document: {
      command: "repair",
      error: {
        message: 'run "down" is being taken down',
        remedy: expect.stringContaining("bootlevel reboot down") as unknown,
      },
    },
  });
  letGo(own, "end");
  expect((await own.call(["terminate", "down", "--yes"])).code).toBe(0);
  expect((await own.call(["repair", "down"])).stderr).toContain('run "down" is terminated');
  expect((await own.call(["repair", "ghost"])).code).toBe(2);
});

test("the programs of a machine whose directory is gone fail at once, and not after their time limit", async () => {
  const own = installation();
  await boot(
    own,
    own.plan(levels("gone", [`a: { timeout: 1h, boot: { command: "true" }, terminate: { command: "true" } }`])),
    "gone",
  );
  loseMachine(own, "a");
  const rerun = await own.call(["rerun", "gone", "a"]);
  expect(rerun.code).toBe(1);
  expect(rerun.stdout).toContain("is gone");
  expect(await own.call(["repair", "gone"])).toMatchObject({ code: 0 });
  loseMachine(own, "a");
  const kept = await own.call(["terminate", "gone", "--yes"]);
  expect([0, 1]).toContain(kept.code);
  expect(await own.call(["terminate", "gone", "--yes", "--force"])).toMatchObject({ code: 0 });
});
