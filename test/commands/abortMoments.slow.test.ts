/**
 * An abort reaches a run whatever it is at: it ends within seconds, nothing of it runs on, and everything can be taken
 * down.
 */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Document, type Installation } from "../support/installation.js";
import { begun, levels, localMachines, shownServices } from "../support/liveRun.js";
import { makeKey } from "../support/sshHost.js";
import { usersOf } from "../support/coordination.js";

/** A plan with much in it; at `moment` a program touches `begun-<moment>` and does `work`. */
function plan(own: Installation, moment: string, work: string, head = ""): string {
  const at = (name: string) => (name === moment ? `touch '${own.facts}/begun-${name}'; ${work}` : "true");
  return own.plan(
    levels(
      "many",
      [
        `
    base: { outputs: [x, never], boot: { command: "bl set never 1; ${at("boot")}; bl set x 1" }, report: { command: "${at("report")}; echo r > $BOOTLEVEL_REPORT_DIR/r" }, terminate: { command: "${at("terminate")}; echo base >> '${own.facts}/down'" } }
    asks: { replicas: 2, boot: { command: "${at("waits")}; bl get base:x --timeout 0" } }
  `,
        `
    picky: { boot: { command: "true" }, ready: { command: "${at("ready")}", retries: 1000, every: 100ms } }
    suite: { boot: { command: "true" }, execute: { command: "${at("execute")}" } }
  `,
        "last: {}",
      ],
      `prelaunch: none\n${head}`,
    ),
  );
}

const nobodyLeft = (own: Installation) =>
  eventually("no program of the run is left", () => usersOf(own.home).length === 0);

/** The run has failed by this abort, tells so, runs nothing, and is taken down as any other. */
async function isOver(own: Installation, origin: string, reports: boolean): Promise<void> {
  await nobodyLeft(own);
  const { document } = await own.json(["status", "many"]);
  expect(document).toMatchObject({ state: "failed", abort: { reason: "enough of it", origin } });
  expect(await own.call(["terminate", "many", "--yes"])).toMatchObject({ code: 0 });
  expect(localMachines(own)).toEqual([]);
  if (reports) {
    expect(own.fact("down")).toBe("base\n");
    expect((await own.json(["reports", "many"])).document.reports.map(({ report }: Document) => report)).toEqual([
      "base",
    ]);
  }
}

const MOMENTS = [
  ["boot", "sleep 60", "operator"],
  ["boot", "sleep 60", "base"],
  ["boot", "trap '' TERM; while :; do sleep 0.2; done", "operator"],
  ["waits", "bl get base:nothing --no-wait; bl barrier b --parties 9 --timeout 0", "operator"],
  ["ready", "sleep 60", "picky"],
  ["ready", "false", "operator"],
  ["execute", "sleep 60", "operator"],
  ["execute", "sleep 60", "suite"],
] as const;

async function abortIn(moment: string, work: string, origin: string): Promise<void> {
  const own = installation();
  const itself = origin === "operator" ? "" : "bl abort enough of it; ";
  const boot = own.start(["boot", plan(own, moment, itself + work), "--name", "many"]);
  await begun(own, moment);
  if (origin === "operator") expect(await own.call(["abort", "many", "enough of it"])).toMatchObject({ code: 0 });
  const ended = await boot.ended;
  expect(ended).toMatchObject({ code: 1, stdout: expect.stringContaining(": enough of it") as unknown as string });
  await isOver(own, origin, true);
}

test("aborted from outside, or by one of its programs, while programs boot, wait, verify or execute", async () => {
  await Promise.all(MOMENTS.map(([moment, work, origin]) => abortIn(moment, work, origin)));
}, 60_000);

test("aborted while programs wait for their place: none of them begins", async () => {
  const own = installation();
  const folder = own.plan(
    levels(
      "many",
      [
        `crowd: { replicas: 6, boot: { command: "touch '${own.facts}'/ran-$BOOTLEVEL_REPLICA '${own.facts}/begun-crowd'; sleep 60" } }`,
      ],
      "concurrency: 1\n",
    ),
  );
  const boot = own.start(["boot", folder, "--name", "many"]);
  await begun(own, "crowd");
  await own.call(["abort", "many", "enough of it"]);
  expect((await boot.ended).code).toBe(1);
  expect(own.factNames().filter((name) => name.startsWith("ran-"))).toHaveLength(1);
  await isOver(own, "operator", false);
}, 30_000);

test("aborted while a host does not answer: nobody waits for it", async () => {
  const own = installation();
  const silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await eventually("it listens", () => silent.listening);
  const identity = `${own.directory}/key`;
  await makeKey(identity);
  const head = `clouds: { rack: { driver: existing, hosts: [{ host: 127.0.0.1, port: ${(silent.address() as AddressInfo).port}, user: root }] } }\ndefaults: { ssh: { identity: "${identity}", agent: false, connect_timeout: 60s } }\n`;
  const boot = own.start([
    "boot",
    own.plan(levels("many", ["far: { boot: { command: 'true' } }"], head)),
    "--name",
    "many",
  ]);
  await eventually(
    "it connects",
    async () =>
      own.fact("none") === null &&
      (await own.json(["list"])).document.runs?.length === 1 &&
      (await shownServices(own, "many"))["far"]?.state === "connecting",
  );
  await own.call(["abort", "many", "enough of it"]);
  const ended = await boot.ended;
  expect(ended.code).toBe(1);
  silent.close();
  expect((await own.json(["show", "many"])).document).toMatchObject({ state: "failed" });
}, 30_000);

test.each(["report", "terminate"])(
  "aborted while it is taken down (%s): that goes on, and is whole",
  async (moment) => {
    const own = installation();
    const run = own.start(["run", plan(own, moment, "sleep 2"), "--name", "many"]);
    await begun(own, moment);
    expect(await own.call(["abort", "many", "enough of it"])).toMatchObject({ code: 0 });
    expect(await own.call(["abort", "many", "and again"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("The first reason is kept") as unknown as string,
    });
    await run.ended;
    await nobodyLeft(own);
    expect(localMachines(own)).toEqual([]);
    expect(own.fact("down")).toBe("base\n");
    expect((await own.json(["reports", "many"])).document.reports.map(({ report }: Document) => report)).toContain(
      "base",
    );
    expect((await own.json(["show", "many"])).document.state).toBe("terminated");
  },
  30_000,
);
