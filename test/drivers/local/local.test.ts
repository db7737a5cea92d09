/** The local driver against the driver contract, and what is its own. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync, chmodSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import type { LaunchOutcome, MachineStatus } from "../../../src/drivers/contract/driver.js";
import local from "../../../src/drivers/local/localDriver.js";
import { never, open, request, stateDirectory } from "../../support/drivers.js";
import { eventually, isAlive } from "../../support/eventually.js";

function machines(
  outcomes: readonly LaunchOutcome[],
): (MachineStatus & { access: { data: { directory: string; tag: string } } })[] {
  return outcomes.map((outcome) => {
    if (outcome.kind === "failed") throw outcome.error;
    return outcome.machine as MachineStatus & { access: { data: { directory: string; tag: string } } };
  });
}

test("launch gives a running machine for each request, in order, each with its own address, directory and tag", async () => {
  const driver = open(local);
  const launched = machines(
    await driver.launch(
      ["a", "b", "c"].map((key) => request(key)),
      never,
    ),
  );
  // A name that does not resolve on this computer would be of no use to a program.
  expect(launched.map(({ key, state, hostname }) => [key, state, hostname])).toEqual([
    ["a", "running", null],
    ["b", "running", null],
    ["c", "running", null],
  ]);
  for (const distinct of [
    launched.map(({ host }) => host),
    launched.map(({ access }) => access.data.directory),
    launched.map(({ access }) => access.data.tag),
  ])
    expect(new Set(distinct).size).toBe(3);
  for (const { access } of launched) {
    for (const folder of ["home", "tmp", "work"])
      expect(statSync(join(access.data.directory, folder)).mode & 0o777).toBe(0o700);
  }
});

test("each address can be listened on", async () => {
  const [machine] = machines(await open(local).launch([request("a")], never));
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, machine?.host ?? "", resolve);
  });
  await new Promise((resolve) => server.close(resolve));
});

test("the same key gives the same machine again, also to a driver that was opened later", async () => {
  const directory = stateDirectory();
  const [first] = machines(await open(local, { stateDirectory: directory }).launch([request("a")], never));
  const [again, other] = machines(
    await open(local, { stateDirectory: directory }).launch([request("a"), request("b")], never),
  );
  expect(again).toEqual(first);
  expect(other?.id).not.toBe(first?.id);
});

test("describe tells of machines in the order of the question; one that it does not know is terminated", async () => {
  const driver = open(local);
  const [a, b] = machines(await driver.launch([request("a"), request("b")], never));
  expect(
    (await driver.describe([b?.id ?? "", "unknown", a?.id ?? ""], never)).map(({ id, state, key }) => [id, state, key]),
  ).toEqual([
    [b?.id, "running", "b"],
    ["unknown", "terminated", null],
    [a?.id, "running", "a"],
  ]);
});

test("list tells the machines of one run only", async () => {
  const driver = open(local);
  await driver.launch([request("a", "run1"), request("b", "run2"), request("c", "run1")], never);
  expect((await driver.list({ installation: "here", run: "run1" }, never)).map(({ key }) => key).sort()).toEqual([
    "a",
    "c",
  ]);
  expect(await driver.list({ installation: "here", run: "run3" }, never)).toEqual([]);
});

test("terminate can be repeated, takes unknown machines as gone, and frees the address and the directory", async () => {
  const directory = stateDirectory();
  const driver = open(local, { stateDirectory: directory });
  const [a, b] = machines(await driver.launch([request("a"), request("b")], never));
  for (let time = 0; time < 2; time += 1)
    expect(await driver.terminate([a?.id ?? "", "unknown"], never)).toEqual([
      { id: a?.id, kind: "terminated" },
      { id: "unknown", kind: "terminated" },
    ]);
  expect(existsSync(a?.access.data.directory ?? "")).toBe(false);
  expect(readdirSync(join(directory, "claims"))).toEqual([encodeURIComponent(b?.host ?? "")]);
});

test("terminate removes what a program made as hard to remove as it could", async () => {
  const driver = open(local);
  const [machine] = machines(await driver.launch([request("a")], never));
  const home = join(machine?.access.data.directory ?? "", "home");
  mkdirSync(join(home, "closed", "inner"), { recursive: true });
  writeFileSync(join(home, "closed", "inner", "file"), "x");
  execFileSync("ln", ["-s", "/etc", join(home, "link")]);
  chmodSync(join(home, "closed", "inner"), 0);
  chmodSync(join(home, "closed"), 0);
  await driver.terminate([machine?.id ?? ""], never);
  expect(existsSync(machine?.access.data.directory ?? "")).toBe(false);
  expect(existsSync("/etc/passwd")).toBe(true);
});

test("terminate ends a process that carries the machine's mark in its environment only", async () => {
  const driver = open(local);
  const [machine] = machines(await driver.launch([request("a")], never));
  const child = spawn("sleep", ["3400"], {
    env: { BOOTLEVEL_MACHINE: machine?.access.data.tag ?? "" },
    stdio: "ignore",
    detached: true,
  });
  const other = spawn("sleep", ["3400"], {
    env: { BOOTLEVEL_MACHINE: `${machine?.access.data.tag ?? ""}0` },
    stdio: "ignore",
    detached: true,
  });
  try {
    await eventually("both live", () => isAlive(child.pid ?? 0) && isAlive(other.pid ?? 0));
    await driver.terminate([machine?.id ?? ""], never);
    expect(isAlive(child.pid ?? 0)).toBe(false);
    expect(isAlive(other.pid ?? 0)).toBe(true);
  } finally {
    other.kill("SIGKILL");
    child.kill("SIGKILL");
  }
});

test("a machine whose claim somebody has removed is found by its directory, is of no use, and leaves nothing when it is ended", async () => {
  const directory = stateDirectory();
  const driver = open(local, { stateDirectory: directory });
  const [launched] = await driver.launch([request("a")], never);
  const { id } = (launched as LaunchOutcome & { kind: "launched" }).machine;
  for (const claim of readdirSync(join(directory, "claims"))) rmSync(join(directory, "claims", claim));
  expect(await driver.describe([id], never)).toMatchObject([
    { id, state: "stopped", reason: "its claim on its address is gone" },
  ]);
  expect((await driver.list({ installation: "here", run: "run1" }, never)).map(({ key }) => key)).toEqual(["a"]);
  expect(await driver.terminate([id], never)).toEqual([{ id, kind: "terminated" }]);
  expect(readdirSync(join(directory, "machines"))).toEqual([]);
  expect(await driver.describe([id], never)).toMatchObject([{ state: "terminated" }]);
});

test("a machine that somebody has begun to remove is of no use either", async () => {
  const directory = stateDirectory();
  const driver = open(local, { stateDirectory: directory });
  const [launched] = await driver.launch([request("a")], never);
  const { id } = (launched as LaunchOutcome & { kind: "launched" }).machine;
  rmSync(join(directory, "machines", id, "home"), { recursive: true });
  expect(await driver.describe([id], never)).toMatchObject([{ id, state: "stopped" }]);
});

test("an aborted launch makes nothing and says so for each request", async () => {
  const directory = stateDirectory();
  const driver = open(local, { stateDirectory: directory });
  const outcomes = await driver.launch([request("a"), request("b")], AbortSignal.abort());
  expect(outcomes).toMatchObject([
    { key: "a", kind: "failed", leftover: null },
    { key: "b", kind: "failed", leftover: null },
  ]);
  expect(existsSync(join(directory, "claims"))).toBe(false);
});

test("a failed launch leaves nothing behind, as the contract says", async () => {
  const directory = stateDirectory();
  const driver = open(local, { stateDirectory: directory });
  writeFileSync(join(directory, "machines"), "a file where the directory should be");
  const [outcome] = await driver.launch([request("a")], never);
  expect(outcome).toMatchObject({ kind: "failed", leftover: null });
  expect(await driver.list({ installation: "here", run: "run1" }, never)).toEqual([]);
  expect(readdirSync(join(directory, "claims"))).toEqual([]);
});
