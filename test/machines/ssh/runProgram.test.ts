import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClosableLink } from "../../../src/machines/contract/link.js";
import { createLink } from "../../support/createLink.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { recoverProgram } from "../../../src/machines/program/recoverProgram.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import type { SshSettings } from "../../../src/machines/ssh/settings.js";
import { bundleOf, requestFor } from "../../support/localHost.js";
import { startProxy, startSshHost, type SshHost, type TcpProxy } from "../../support/sshHost.js";
import { isAlive, until } from "../../support/eventually.js";

let host: SshHost;
let bundles: string;
let proxy: TcpProxy;
let link: ClosableLink;
let sent = 0;
let onUp: () => void = () => undefined;

beforeAll(async () => {
  host = await startSshHost();
});
afterAll(async () => {
  await host.stop();
});
beforeEach(async () => {
  bundles = await mkdtemp(join(tmpdir(), "bl-bundles-"));
  sent = 0;
  onUp = () => undefined;
  proxy = await startProxy(host.address, host.port, (chunk, direction) => {
    if (direction === "up") {
      sent += chunk.length;
      onUp();
    }
  });
  link = linkTo({});
});
afterEach(async () => {
  await link.close();
  await proxy.stop();
  await rm(bundles, { recursive: true, force: true });
});

function linkTo(change: Partial<SshSettings>): ClosableLink {
  const signal = new AbortController().signal;
  return createLink(async () => {
    await writeFile(join(bundles, "known_hosts"), `[${proxy.address}]:${proxy.port} ${host.hostKey}\n`);
    return connectSsh(
      host.settings({
        host: proxy.address,
        port: proxy.port,
        knownHosts: join(bundles, "known_hosts"),
        keepaliveMs: 200,
        connectTimeoutMs: 5000,
        ...change,
      }),
      {
        signal,
        onWarning: (message) => {
          throw new Error(message);
        },
      },
    );
  });
}

const step = (name: string): string => join(host.directory, "steps", name);
const COUNTED =
  '#!/bin/sh\necho ran >>"$COUNT"; echo begun; until [ -e "$GO" ]; do sleep 0.05; done; echo value=7 >"$BOOTLEVEL_OUTPUT"; echo ended; exit 4\n';

async function counted(): Promise<{ request: ReturnType<typeof requestFor>; count: string; go: string }> {
  const count = join(bundles, "count");
  const go = join(bundles, "go");
  return { request: requestFor(await bundleOf(bundles, COUNTED), { env: { COUNT: count, GO: go } }), count, go };
}

const RESULT = { kind: "exited", code: 4, outputs: new Map([["value", "7"]]) };

test("a program runs over SSH and its result comes back", async () => {
  const { request, go } = await counted();
  await writeFile(go, "");
  expect(await runProgram(link, request)).toEqual(RESULT);
  expect(request.text()).toBe("begun\nended\n");
});

test("what a program leaves is removed over its own channel: one session a program", async () => {
  const { request, go } = await counted();
  await writeFile(go, "");
  const sessions = async (): Promise<number> => (await host.log()).split("Starting session: command").length - 1;
  const before = await sessions();
  expect(await runProgram(link, { ...request, keep: false })).toEqual(RESULT);
  await link.idle();
  expect(existsSync(step(request.directory))).toBe(false);
  expect(await sessions()).toBe(before + 1);
});

test("what a program leaves is removed over a new connection when its own breaks first", async () => {
  const { request, go } = await counted();
  await writeFile(go, "");
  expect(
    await runProgram(link, {
      ...request,
      keep: false,
      onResult: async () => {
        proxy.cut();
      },
    }),
  ).toEqual(RESULT);
  await link.idle();
  expect(existsSync(step(request.directory))).toBe(false);
});

test("a connection cut while the program runs changes neither its result nor how often it runs", async () => {
  const { request, go, count } = await counted();
  const running = runProgram(link, request);
  await until(() => request.text() === "begun\n");
  proxy.cut();
  await writeFile(go, "");
  expect(await running).toEqual(RESULT);
  expect(request.text()).toMatch(/^begun\n\[bootlevel: the connection broke; .*\]\n(ended\n)?$/);
  expect(await readFile(count, "utf8")).toBe("ran\n");
});

test("a connection cut while the bundle travels stages it again, and the program runs once", async () => {
  const { request, go, count } = await counted();
  await writeFile(go, "");
  const big = join(bundles, "big");
  await writeFile(big, Buffer.alloc(3_000_000, 1));
  const { writeBundle } = await import("../../support/bundles.js");
  const script = join(bundles, "run.sh");
  await writeFile(script, COUNTED);
  const bundle = await writeBundle({ program: { kind: "file", path: script }, files: [big] }, join(bundles, "bundles"));
  await link.connection();
  const from = sent;
  onUp = () => {
    if (sent - from < 500_000) return;
    onUp = () => undefined;
    proxy.cut();
  };
  expect(await runProgram(link, { ...request, bundle })).toEqual(RESULT);
  expect(await readFile(count, "utf8")).toBe("ran\n");
  expect(proxy.count).toBe(2);
});

test("a connection cut at the program's very end gives its result", async () => {
  const { request, go, count } = await counted();
  const running = runProgram(link, request);
  await until(() => request.text() === "begun\n");
  proxy.hang();
  await writeFile(go, "");
  await until(() => existsSync(join(step(request.directory), ".bl/exit")));
  proxy.resume();
  proxy.cut();
  expect(await running).toEqual(RESULT);
  expect(await readFile(count, "utf8")).toBe("ran\n");
});

test("a connection that hangs is given up by keepalives and made again", async () => {
  const { request, go, count } = await counted();
  const running = runProgram(link, request);
  await until(() => request.text() === "begun\n");
  proxy.hang();
  const before = proxy.count;
  proxy.resume();
  await until(() => proxy.count > before);
  await writeFile(go, "");
  expect(await running).toEqual(RESULT);
  expect(await readFile(count, "utf8")).toBe("ran\n");
});

test("a machine that stays away until the program's time is over is unknown", async () => {
  const { request, go } = await counted();
  const running = runProgram(link, { ...request, timeoutMs: 1500 });
  await until(() => request.text() === "begun\n");
  proxy.refuse();
  proxy.cut();
  expect(await running).toMatchObject({ kind: "unknown" });
  await writeFile(go, "");
  proxy.resume();
  expect(await recoverProgram(link, request)).toEqual(RESULT);
});

test("a program whose whole group was killed is lost, not failed", async () => {
  const { request } = await counted();
  const running = runProgram(link, request);
  await until(() => request.text() === "begun\n");
  proxy.cut();
  process.kill(-Number(await readFile(join(step(request.directory), ".bl/pid"), "utf8")), "SIGKILL");
  expect(await running).toMatchObject({ kind: "lost", reason: expect.stringContaining("killed") as unknown });
});

test("a later launcher learns what became of a step, and makes sure that one that has not begun never will", async () => {
  const { request, go } = await counted();
  const dead = runProgram(link, request).catch((error: unknown) => error);
  await until(() => request.text() === "begun\n");
  const later = linkTo({});
  const seen: Buffer[] = [];
  const recovering = recoverProgram(later, {
    ...request,
    onOutput: (chunk) => {
      seen.push(chunk);
    },
  });
  // The new launcher's question ends the old relay, so what comes from here on is the new one's.
  await until(() => !existsSync(join(step(request.directory), ".bl/relay")));
  await writeFile(go, "");
  expect(await recovering).toEqual(RESULT);
  expect(Buffer.concat(seen).toString()).toMatch(/missing here\]\nended\n$/);
  expect(await recoverProgram(later, { ...request, directory: "never" })).toEqual({ kind: "never-started" });
  await expect(runProgram(later, { ...request, directory: "never" })).rejects.toThrow(
    /already uses the step's directory/,
  );
  await later.close();
  proxy.cut();
  await dead;
});

test("a server that a program leaves behind outlives the connection", async () => {
  const bundle = await bundleOf(
    bundles,
    "#!/bin/sh\n( while :; do echo noise; sleep 0.02; done ) &\necho $! >server\n",
  );
  const request = requestFor(bundle);
  expect(await runProgram(link, request)).toMatchObject({ kind: "exited", code: 0 });
  const pid = Number(await readFile(join(step(request.directory), "server"), "utf8"));
  const again = requestFor(bundle);
  await runProgram(link, again);
  expect(isAlive(pid)).toBe(true);
  for (const { directory } of [request, again])
    process.kill(Number(await readFile(join(step(directory), "server"), "utf8")), "SIGKILL");
});

test("programs share a connection, and get another one when sshd allows no more sessions on it", async () => {
  const bundle = await bundleOf(bundles, "#!/bin/sh\necho hello\n");
  const together = async (count: number) => {
    const results = await Promise.all(Array.from({ length: count }, () => runProgram(link, requestFor(bundle))));
    expect(results.every((result) => result.kind === "exited" && result.code === 0)).toBe(true);
  };
  await together(8);
  expect(proxy.count).toBe(1);
  await together(12);
  expect(proxy.count).toBeGreaterThan(1);
});
