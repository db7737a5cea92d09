/** What takes a place that others wait for: a handshake that is under way, a program that runs, and nothing else. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { MachineConnection } from "../../../src/machines/contract/connection.js";
import { createLink } from "../../support/createLink.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { limitHandshakes } from "../../../src/machines/ssh/handshakeLimit.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import type { SshSettings } from "../../../src/machines/ssh/settings.js";
import { installation } from "../../support/installation.js";
import { bundleOf, requestFor } from "../../support/localHost.js";
import { startProxy, startSshHost, type SshHost, type TcpProxy } from "../../support/sshHost.js";
import { until } from "../../support/eventually.js";

let host: SshHost;
let proxy: TcpProxy;
let folder: string;
let giveUp: AbortController;

beforeAll(async () => {
  host = await startSshHost();
});
afterAll(async () => {
  await host.stop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bl-places-"));
  proxy = await startProxy(host.address, host.port);
  giveUp = new AbortController();
  limitHandshakes(1);
});
afterEach(async () => {
  giveUp.abort();
  limitHandshakes(32);
  await proxy.stop();
  await rm(folder, { recursive: true, force: true });
});

const reach = (change: Partial<SshSettings> = {}): Promise<MachineConnection> =>
  connectSsh(host.settings({ connectTimeoutMs: 60_000, ...change }), {
    signal: giveUp.signal,
    onWarning: () => undefined,
  });

test("a machine that takes the connection and says nothing keeps no other from being reached", async () => {
  proxy.hang();
  const silent = reach({ host: proxy.address, port: proxy.port });
  silent.catch(() => undefined);
  await until(() => proxy.count === 1);
  const connection = await reach();
  // It was the first attempt that said nothing all the while: none had been given up for another to get its place.
  expect(proxy.count).toBe(1);
  await connection.close();
  giveUp.abort();
  await expect(silent).rejects.toThrow(/cancelled/);
});

test("a machine that has begun to talk and waits for its turn is let in when it comes", async () => {
  const [connections] = await Promise.all([Promise.all([reach(), reach(), reach()])]);
  expect(connections.map(({ alive }) => alive)).toEqual([true, true, true]);
  for (const connection of connections) await connection.close();
});

test("a program that runs keeps no machine from being reached", async () => {
  const go = join(folder, "go");
  const link = createLink(() => reach());
  const request = requestFor(
    await bundleOf(folder, '#!/bin/sh\necho begun; until [ -e "$GO" ]; do sleep 0.05; done\n'),
    { env: { GO: go } },
  );
  const running = runProgram(link, request);
  await until(() => request.text() === "begun\n");
  await (await reach()).close();
  await writeFile(go, "");
  expect(await running).toMatchObject({ kind: "exited", code: 0 });
  await link.close();
});

test("a machine that does not answer keeps no program of another machine from its place", async () => {
  const own = installation();
  const known = join(folder, "known_hosts");
  await writeFile(
    known,
    `[${proxy.address}]:${proxy.port} ${host.hostKey}\n[${host.address}]:${host.port} ${host.hostKey}\n`,
  );
  const plan = `plan: places
concurrency: 1
clouds: { rack: { driver: existing, hosts: [{ host: ${proxy.address}, port: ${proxy.port} }, { host: ${host.address}, port: ${host.port} }] } }
defaults: { cloud: rack, ssh: { user: ${host.user}, identity: "${host.identity}", known_hosts: "${known}", agent: false, connect_timeout: 60s } }
levels:
  - services: { silent: { ready: { command: "true" } } }
  - services: { other: { ready: { command: "echo x >> '${own.facts}/ready'" } } }
`;
  expect(await own.call(["boot", own.plan(plan), "--name", "places"])).toMatchObject({ code: 0 });
  expect(own.fact("ready")).toBe("x\n");
  proxy.hang();
  const before = proxy.count;
  const status = own.start(["status", "places"]);
  await until(() => proxy.count > before && own.fact("ready") === "x\nx\n");
  proxy.resume();
  proxy.cut();
  expect(await status.ended).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "places", "--yes"])).toMatchObject({ code: 0 });
  expect(existsSync(own.home)).toBe(true);
});

test.each([0, 1_001, 1.5, Number.NaN])("%d handshakes at a time cannot be", (count) => {
  expect(() => {
    limitHandshakes(count);
  }).toThrow(/whole number from 1 to 1000/);
});
