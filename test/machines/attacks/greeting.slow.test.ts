/** A port that lies before anybody is logged in: what it sends has bounds in memory and time, and is shown as text. */
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test } from "@jest/globals";

import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import { LONGEST_PAUSE_MS, MOST_MEMORY, underPressure } from "../../support/pressure.js";
import { strangeHost } from "../../support/strangeHost.js";

let server: Server | null = null;
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server?.close(resolve));
  server = null;
});

/** Connects to a port that answers so, for 2 s at most. @returns the error, and what it cost */
async function attacked(answer: (socket: Socket) => void) {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    answer(socket);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const settings = await strangeHost({ host: "127.0.0.1", port, connectTimeoutMs: 2_000 });
  const connecting = (): Promise<string> =>
    connectSsh(settings, { signal: new AbortController().signal, onWarning: () => undefined }).then(
      () => "connected",
      (error: unknown) => (error as Error).message,
    );
  const began = performance.now();
  const found = await underPressure(connecting);
  expect(found.growth).toBeLessThan(MOST_MEMORY);
  expect(found.longestPauseMs).toBeLessThan(LONGEST_PAUSE_MS);
  // Its time, and a moment for the machine that runs the test.
  expect(performance.now() - began).toBeLessThan(20_000);
  return found.value;
}

/** Writes a piece for ever, as fast as it is taken. */
function flood(socket: Socket, piece: Buffer | string): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", write);
  write();
}

test.each<[string, (socket: Socket) => void, RegExp]>([
  ["says nothing", () => undefined, /no handshake within [\d.]+ s: the machine sent nothing/],
  [
    "floods bytes without a line",
    (socket) => {
      flood(socket, Buffer.alloc(1_048_576, "x"));
    },
    /could not be reached|not an SSH server/,
  ],
  [
    "floods lines that are no version",
    (socket) => {
      flood(socket, "hello\r\n".repeat(100_000));
    },
    /could not be reached|not an SSH server/,
  ],
  [
    "has an endless version",
    (socket) => {
      socket.write("SSH-2.0-");
      flood(socket, Buffer.alloc(1_048_576, "v"));
    },
    /could not be reached/,
  ],
  [
    "has a version and floods packets",
    (socket) => {
      socket.write("SSH-2.0-lie\r\n");
      flood(socket, Buffer.alloc(1_048_576, 1));
    },
    /could not be reached/,
  ],
  [
    "promises a packet of 4 GiB",
    (socket) => {
      socket.write("SSH-2.0-lie\r\n");
      socket.write(Buffer.from("ffffffff0414", "hex"));
      flood(socket, Buffer.alloc(65_536));
    },
    /could not be reached/,
  ],
  [
    "stops in the middle of its offers",
    (socket) => {
      socket.write("SSH-2.0-lie\r\n");
      socket.write(Buffer.from("000003fc0414", "hex"));
    },
    /no handshake within [\d.]+ s: the machine sent its version and nothing more/,
  ],
])(
  "a port that %s",
  async (_what, answer, words) => {
    expect(await attacked(answer)).toMatch(words);
  },
  60_000,
);

/** The packet that an SSH server sends to hang up, before anything is encrypted, with words of its own. */
function disconnect(words: string): Buffer {
  const text = Buffer.from(words);
  const length = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const payload = Buffer.concat([Buffer.from([1]), length(2), length(text.length), text, length(0)]);
  const padding = 8 + ((8 - ((payload.length + 5) % 8)) % 8);
  return Buffer.concat([length(payload.length + padding + 1), Buffer.from([padding]), payload, Buffer.alloc(padding)]);
}

test("what a server says when it hangs up is told in one line of bounded length", async () => {
  const message = await attacked((socket) => {
    socket.write("SSH-2.0-lie\r\n");
    socket.write(disconnect(`go\u001b[2J away\n${"a".repeat(20_000)}`));
  });
  expect(message).toMatch(/go\?\[2J away a{400,}…/);
  expect(message.length).toBeLessThan(1_000);
}, 60_000);

test("control characters of a port's words do not reach the terminal", async () => {
  const message = await attacked((socket) => {
    socket.end("\u001b]0;owned\u0007\u001b[2Jgo away\r\n");
  });
  expect(message).not.toMatch(/[\x00-\x1f\x7f]/);
  expect(message).toContain("go away");
}, 60_000);
