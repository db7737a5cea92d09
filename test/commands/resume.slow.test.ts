/**
 * `boot --resume`: a run whose launcher died or was interrupted goes on from where each service was; no program is
 * started twice.
 */
import { afterEach, test, expect } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, letGo, levels, localMachines, tell, told, waitFor } from "../support/liveRun.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

const pools: SshPool[] = [];
afterEach(async () => {
  for (const one of pools.splice(0)) await one.stop();
});

async function headFor(where: string): Promise<string> {
  if (where === "here") return "";
  const made = await startSshPool(1);
  pools.push(made);
  return made.head;
}

/** Until a launcher is there that answers. */
const ANSWERED = "until bl say 'still here'; do sleep 0.05; done";
/** `a` tells before and after it waits, and has an output that `z`, a level later, needs. */
const waiting = (own: Installation, head = "", then = "true") =>
  own.plan(
    levels(
      "wait",
      [
        `a: { outputs: [number], boot: { program: a.sh }, ready: { command: "${tell(own, "a-ready")}" } }`,
        `z: { host: "\${a.host}", boot: { command: "${tell(own, "z \${a.number}")}" } }`,
      ],
      head,
    ),
    {
      "a.sh": `#!/bin/sh\n${tell(own, "a")}\necho first line\n${waitFor(own, "a")}\n${then}\necho last line\necho number=42 >> "$BOOTLEVEL_OUTPUT"\n${tell(own, "a-ended")}\n`,
    },
  );

async function killed(own: Installation, folder: string, step: string, heard = async () => true): Promise<void> {
  const first = own.start(["boot", folder, "--name", "wait"]);
  await begun(own, step);
  await eventually("the launcher has what was printed", heard);
  first.child.kill("SIGKILL");
  expect(await first.ended).toMatchObject({ signal: "SIGKILL" });
}

const logOf = async (own: Installation) => (await own.call(["logs", "wait", "a"])).stdout;

test.each(["here", "over SSH"])(
  "a boot program that still runs %s is waited for: it is not started again, its outputs and its words are taken",
  async (where) => {
    const own = installation();
    // Words that are on their way to a launcher that dies are nowhere any more.
    await killed(own, waiting(own, await headFor(where), ANSWERED), "a", async () =>
      (await logOf(own)).includes("first line"),
    );
    letGo(own, "a");
    const ended = await own.call(["boot", "--resume", "wait", "--json"]);
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      version: 1,
      command: "boot",
      run: "wait",
      state: "ready",
      failures: [],
    });
    expect(told(own)).toEqual(["a", "a-ended", "a-ready", "z 42"]);
    const log = await logOf(own);
    // So are those that came while there was none, and that is said.
    expect(log).toMatch(
      where === "here"
        ? /first line[\s\S]*last line[\s\S]*exit code 0/
        : /first line[\s\S]*(last line|output of that time may be missing)[\s\S]*exit code 0/,
    );
    expect((log.match(/last line/g) ?? []).length).toBe(/last line/.test(log) ? 1 : 0);
  },
  30_000,
);

test.each(["here", "over SSH"])(
  "a boot program that ended meanwhile %s is taken as it ended",
  async (where) => {
    const own = installation();
    await killed(own, waiting(own, await headFor(where)), "a");
    letGo(own, "a");
    await eventually("a's program has ended", () => (own.fact("ran") ?? "").includes("a-ended"));
    expect(await own.call(["boot", "--resume", "wait"])).toMatchObject({ code: 0 });
    expect(told(own)).toEqual(["a", "a-ended", "a-ready", "z 42"]);
    expect((await own.call(["boot", "--resume", "wait"])).code).toBe(0);
    expect(told(own)).toEqual([]);
  },
  30_000,
);

test("a boot program that was killed has failed; the next resume starts it again", async () => {
  const own = installation();
  const folder = own.plan(
    levels("wait", [
      `a: { boot: { command: "${tell(own, "a")}; echo $$ > '${own.facts}/pid'; ${waitFor(own, "a")}" } }`,
    ]),
  );
  await killed(own, folder, "a");
  process.kill(Number(own.fact("pid")), "SIGKILL");
  letGo(own, "a");
  const first = await own.json(["boot", "--resume", "wait"]);
  expect(first).toMatchObject({
    code: 1,
    document: { state: "failed", failures: [{ service: "a", step: "boot", exitCode: 137 }] },
  });
  expect(await own.call(["boot", "--resume", "wait"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a", "a"]);
});

test("a service that was renamed while its boot program ran is waited for under its old name", async () => {
  const own = installation();
  const plan = (service: string, folder: string) =>
    own.plan(
      levels("wait", [
        `${service} boot: { command: "${tell(own, "boot")}; ${waitFor(own, "a")}; ${ANSWERED}; ${tell(own, "ended")}" } }`,
      ]),
      {},
      folder,
    );
  await killed(own, plan("a: {", "one"), "a");
  letGo(own, "a");
  expect(await own.call(["reload", "wait", plan("b: { was: a,", "two"), "--yes"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["boot", "ended"]);
});

test("killed while a ready program runs: only that is run again", async () => {
  const own = installation();
  const folder = own.plan(
    levels("wait", [
      `a: { boot: { command: "${tell(own, "a")}" }, ready: { command: "${tell(own, "ready")}; ${waitFor(own, "ready")}" } }`,
    ]),
  );
  await killed(own, folder, "ready");
  letGo(own, "ready");
  expect(await own.call(["boot", "--resume", "wait"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a", "ready", "ready"]);
});

test.each(["SIGINT", "SIGTERM"] as const)("after %s the run goes on with the next level", async (signal) => {
  const own = installation();
  const first = own.start(["boot", waiting(own), "--name", "wait"]);
  await begun(own, "a");
  first.child.kill(signal);
  letGo(own, "a");
  expect((await first.ended).code).toBe(130);
  expect(await own.call(["boot", "--resume", "wait"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a", "a-ended", "a-ready", "z 42"]);
  expect(localMachines(own)).toEqual(["a.1"]);
});

test("what cannot be resumed: 2, and why", async () => {
  const own = installation();
  const folder = own.plan(levels("wait", ["a: {}"]));
  expect((await own.call(["boot", folder, "--name", "wait"])).code).toBe(0);
  expect((await own.call(["boot", folder, "--resume", "wait"])).stderr).toContain("leave out a plan");
  expect((await own.call(["boot", folder, "--wait", "5s"])).stderr).toContain("--wait requires --resume");
  expect((await own.json(["boot", "--resume", "ghost"])).document.error).toMatchObject({
    exitCode: 2,
    message: 'there is no run "ghost"',
  });
  await own.call(["terminate", "wait", "--yes"]);
  expect(await own.json(["boot", "--resume", "wait"])).toMatchObject({
    code: 2,
    document: { error: { message: 'run "wait" is terminated' } },
  });
});
