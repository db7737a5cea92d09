/** Nothing of a connection outlives it: no socket, no timer, no session on a jump host. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { isConnectionError } from "../../../src/machines/contract/connection.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import { JumpHostPool } from "../../../src/machines/ssh/jumpHosts.js";
import type { SshSettings } from "../../../src/machines/ssh/settings.js";
import { eventually } from "../../support/eventually.js";
import { startProxy, startSshHost, type SshHost } from "../../support/sshHost.js";

let jump: SshHost;
let host: SshHost;

beforeAll(async () => {
  jump = await startSshHost();
  host = await startSshHost({ identity: jump.identity });
});

afterAll(async () => {
  await host.stop();
  await jump.stop();
});

/** How many sockets this process has open. */
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

const behind = (change: Partial<SshSettings> = {}): SshSettings =>
  host.settings({
    jump: { host: jump.address, port: jump.port, user: jump.user },
    hostKeys: "accept-new",
    connectTimeoutMs: 1_500,
    ...change,
  });

const connect = (settings: SshSettings, signal = new AbortController().signal) =>
  connectSsh(settings, { signal, onWarning: () => undefined, jumpHosts: new JumpHostPool() });

const refusal = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error("it connected")),
    (error: Error) => error,
  );

test("a frozen machine behind a jump host leaves no socket and no session on the jump host", async () => {
  const before = sockets();
  await host.freeze();
  try {
    const error = await refusal(connect(behind()));
    expect(error.message).toContain(`${host.user}@${host.address}:${host.port} could not be reached within 1.5 s`);
    await eventually("the sockets are closed", () => sockets() <= before);
    await eventually("the jump host has no session", async () => (await jump.sessions()) === 0);
  } finally {
    await host.thaw();
  }
});

test("a machine that freezes after the login is let go of by close", async () => {
  const before = sockets();
  const connection = await connect(behind({ keepaliveMs: 0 }));
  const channel = await connection.open("exec sleep 60");
  channel.stdout.resume();
  await host.freeze();
  try {
    await connection.close();
    expect(await channel.ended).toMatchObject({ kind: "lost" });
    await eventually("the sockets are closed", () => sockets() <= before);
    await eventually("the jump host has no session", async () => (await jump.sessions()) === 0);
  } finally {
    await host.thaw();
  }
});

test("a frozen machine without a jump host is let go of by close", async () => {
  const before = sockets();
  const connection = await connect(host.settings({ keepaliveMs: 0 }));
  await host.freeze();
  try {
    await connection.close();
    await eventually("the socket is closed", () => sockets() <= before);
  } finally {
    await host.thaw();
  }
});

test("a connection that its keepalive gave up is let go of at once, without a close", async () => {
  const before = sockets();
  const connection = await connect(behind({ keepaliveMs: 100 }));
  await host.freeze();
  try {
    await eventually("the connection is lost", () => !connection.alive);
    await eventually("the sockets are closed", () => sockets() <= before);
    await eventually("the jump host has no session", async () => (await jump.sessions()) === 0);
  } finally {
    await host.thaw();
    await connection.close();
  }
});

test("a frozen jump host leaves nothing behind either", async () => {
  const before = sockets();
  await jump.freeze();
  try {
    const error = await refusal(connect(behind()));
    expect(error.message).toContain("could not be reached within 1.5 s");
    await eventually("the sockets are closed", () => sockets() <= before);
  } finally {
    await jump.thaw();
  }
});

/** Where connecting waits when it is cancelled: the name, and how to make it wait there. */
const stages: readonly (readonly [string, () => Promise<{ settings: SshSettings; end: () => Promise<void> }>])[] = [
  [
    "for the machine's greeting",
    async () => {
      const proxy = await startProxy(host.address, host.port);
      proxy.hang();
      return {
        settings: host.settings({ host: proxy.address, port: proxy.port, hostKeys: "accept-new" }),
        end: () => proxy.stop(),
      };
    },
  ],
  [
    "for the key exchange",
    async () => {
      const proxy = await startProxy(host.address, host.port, (_chunk, direction) => {
        if (direction === "down") proxy.hang();
      });
      return {
        settings: host.settings({ host: proxy.address, port: proxy.port, hostKeys: "accept-new" }),
        end: () => proxy.stop(),
      };
    },
  ],
  [
    "for the host key's check",
    async () => ({
      settings: host.settings({
        hostKeys: "accept-new",
        knownHosts: "/dev/null",
        pins: { find: () => Promise.resolve([]), pin: () => new Promise(() => undefined) },
      }),
      end: async () => undefined,
    }),
  ],
  [
    "for a frozen jump host",
    async () => {
      await jump.freeze();
      return { settings: behind({ connectTimeoutMs: 60_000 }), end: () => jump.thaw() };
    },
  ],
  [
    "for a frozen machine behind a jump host",
    async () => {
      await host.freeze();
      return { settings: behind({ connectTimeoutMs: 60_000 }), end: () => host.thaw() };
    },
  ],
  [
    "between two attempts",
    async () => {
      const proxy = await startProxy(host.address, host.port);
      proxy.refuse();
      return {
        settings: host.settings({ host: proxy.address, port: proxy.port, hostKeys: "accept-new" }),
        end: () => proxy.stop(),
      };
    },
  ],
];

test.each(stages)(
  "a cancelled attempt that waits %s ends, and leaves nothing",
  async (_where, make) => {
    const before = sockets();
    const { settings, end } = await make();
    try {
      const cancel = new AbortController();
      const ended = refusal(connect({ ...settings, connectTimeoutMs: 60_000 }, cancel.signal));
      await new Promise((resolve) => setTimeout(resolve, 700)); // it has no sign of the stage that it is in
      cancel.abort();
      const error = await ended;
      expect(isConnectionError(error)).toBe(true);
      expect(error.message).toContain("cancelled while connecting");
    } finally {
      await end();
    }
    await eventually("the sockets are closed", () => sockets() <= before);
  },
  20_000,
);
