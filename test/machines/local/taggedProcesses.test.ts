import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findTagged, killTagged } from "../../../src/machines/local/taggedProcesses.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { bundleOf, requestFor, startLocalHost, type LocalHost } from "../../support/localHost.js";
import { isAlive, until } from "../../support/eventually.js";

let host: LocalHost;
beforeEach(async () => {
  host = await startLocalHost();
});
afterEach(async () => {
  await killTagged(new Set([host.tag]), { graceMs: 0 });
  await host.stop();
});

async function leaveBehind(script: string): Promise<number> {
  const request = requestFor(await bundleOf(host.directory, `#!/bin/sh\n${script}\n`));
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "exited", code: 0 });
  // What cleans up is a process of the machine too, and would be ended like the others.
  await host.link.close();
  const file = join(host.directory, "steps", request.directory, "pid");
  return Number(await until(async () => (await readFile(file, "utf8").catch(() => "")).trim()));
}

test("a process that left its session, its parents and its environment behind is found and ended", async () => {
  const pid = await leaveBehind("( env -i setsid /bin/sh -c 'echo $$ >pid; exec sleep 1000' & ) >/dev/null 2>&1");
  expect((await findTagged(new Set([host.tag]))).get(host.tag)?.map((one) => one.pid)).toContain(pid);
  expect(await killTagged(new Set([host.tag]), { graceMs: 2000 })).toEqual([]);
  expect(await findTagged(new Set([host.tag]))).toEqual(new Map());
  expect(isAlive(pid)).toBe(false);
});

test("a process that ignores TERM and forks on is ended by KILL", async () => {
  const pid = await leaveBehind(
    "( trap '' TERM; echo $$ >/dev/null; sh -c 'echo $PPID >pid'; while :; do sleep 0.05; done ) >/dev/null 2>&1 &",
  );
  expect(await killTagged(new Set([host.tag]), { graceMs: 200 })).toEqual([]);
  expect(isAlive(pid)).toBe(false);
});

test("processes of another tag are left alone", async () => {
  const pid = await leaveBehind("sleep 1000 >/dev/null 2>&1 & echo $! >pid");
  expect(await killTagged(new Set(["999999999999"]), { graceMs: 0 })).toEqual([]);
  expect(isAlive(pid)).toBe(true);
});
