/** What a relay may send, however wrong: a channel that the test writes to takes the machine's place. */
import { expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import type { Channel, ChannelEnd, MachineConnection } from "../../../src/machines/contract/connection.js";
import type { BlHandler, BlReply, BlRequest } from "../../../src/machines/coordination/blRequest.js";
import { openRelay, type Relay } from "../../../src/machines/coordination/relay.js";
import { until } from "../../support/eventually.js";

interface Machine {
  readonly relay: Relay;
  /** Sends as the machine. */
  readonly send: (text: string | Buffer) => void;
  /** What it was sent after the script. */
  readonly replies: () => string;
  readonly end: () => void;
  readonly stdout: PassThrough;
}

const ONCE: BlHandler = async () => ({ code: 0 });

async function machine(handler: BlHandler = ONCE, { ready = true, warnings = [] as string[] } = {}): Promise<Machine> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let resolve: (end: ChannelEnd) => void = () => undefined;
  const ended = new Promise<ChannelEnd>((done) => {
    resolve = done;
  });
  const channel: Channel = {
    stdin,
    stdout,
    stderr,
    ended,
    close: () => {
      resolve({ kind: "lost", reason: "the channel was closed" });
    },
  };
  const connection: MachineConnection = {
    label: "m",
    workDirectory: "/w",
    alive: true,
    open: async () => channel,
    close: async () => undefined,
  };
  let sent = "";
  stdin.on("data", (chunk: Buffer) => {
    sent += chunk.toString("latin1");
  });
  stdin.on("end", () => {
    resolve({ kind: "exited", code: 0 });
  });
  const relay = await openRelay(connection, {
    directory: "s",
    how: "take-over",
    handler,
    onWarning: (message) => {
      warnings.push(message);
    },
  });
  await until(() => sent.endsWith("\n}\n"));
  const script = sent.length;
  const nonce = /bl-talk ([0-9a-f]+) /.exec(sent)?.[1] ?? "";
  if (ready) stdout.write(`Welcome!\nto this machine\n\nbl-talk ${nonce} ready\n`);
  return {
    relay,
    stdout,
    send: (text) => {
      stdout.write(text);
    },
    replies: () => sent.slice(script),
    end: () => {
      resolve({ kind: "exited", code: 1 });
    },
  };
}

/** Answers when it is told to. */
function patient(): {
  readonly handler: BlHandler;
  readonly requests: BlRequest[];
  readonly gone: string[];
  readonly answer: (reply: BlReply) => void;
} {
  const [requests, gone, answers]: [BlRequest[], string[], ((reply: BlReply) => void)[]] = [[], [], []];
  return {
    requests,
    gone,
    handler: (request, signal) =>
      new Promise((resolve) => {
        requests.push(request);
        answers.push(resolve);
        signal.addEventListener("abort", () => {
          gone.push(request.name);
        });
      }),
    answer: (reply) => {
      answers.shift()?.(reply);
    },
  };
}

test("requests may come in any pieces, with any bytes", async () => {
  const seen: BlRequest[] = [];
  const { send, replies, relay } = await machine(async (request) => {
    seen.push(request);
    return { code: 0, ...(request.verb === "get" ? { value: Buffer.from("v\n") } : {}) };
  });
  const bytes = Buffer.concat([
    Buffer.from("7 set a - - - 300\n"),
    Buffer.alloc(300, "\n"),
    Buffer.from("8 get db-1:a 1.5m in - 0\n7.1 barrier b - - 12 0\n"),
  ]);
  for (const byte of bytes) send(Buffer.from([byte]));
  await until(() => seen.length === 3);
  expect(seen).toEqual([
    {
      verb: "set",
      name: "a",
      value: Buffer.alloc(300, "\n"),
      timeoutMs: null,
      wait: true,
      ignoreAbort: false,
      parties: null,
    },
    {
      verb: "get",
      name: "db-1:a",
      value: Buffer.alloc(0),
      timeoutMs: 90_000,
      wait: false,
      ignoreAbort: true,
      parties: null,
    },
    {
      verb: "barrier",
      name: "b",
      value: Buffer.alloc(0),
      timeoutMs: null,
      wait: true,
      ignoreAbort: false,
      parties: 12,
    },
  ]);
  await until(() => replies() === "7 0 - \n8 0 2 \nv\n7.1 0 - \n");
  await relay.close();
  expect(await relay.ended).toEqual({ kind: "closed" });
});

test("a message is one line, and not a long one", async () => {
  const { send, replies } = await machine(async () => ({ code: 8, message: `a\n\tb\u001b[2J${"é".repeat(5000)}` }));
  send("1 get a 0 - - 0\n");
  await until(() => replies().endsWith("\n"));
  expect(Buffer.from(replies(), "latin1").toString("utf8")).toBe(`1 8 - a b [2J${"é".repeat(993)}\n`);
});

test.each([
  ["words", "hello there\n"],
  ["an unknown verb", "1 eval a 0 - - 0\n"],
  ["an id that is a path", "../1 get a 0 - - 0\n"],
  ["a name that is a path", "1 get ../a 0 - - 0\n"],
  ["no name", "1 get - 0 - - 0\n"],
  ["a name too many", "1 say a - - - 0\n"],
  ["too large", "1 set a - - - 16777217\n"],
  ["a negative size", "1 set a - - - -1\n"],
  ["a time that is none", "1 get a 1.2.3 - - 0\n"],
  ["a line without end", "1".repeat(600)],
  ["zeros", Buffer.alloc(600)],
  ["a number twice", "1 get a 0 - - 0\n1 get a 0 - - 0\n"],
])("%s is no request: the relay is given up", async (_, text) => {
  const { handler, gone } = patient();
  const { send, relay } = await machine(handler);
  send("9 get before 0 - - 0\n");
  send(text);
  expect(await relay.ended).toMatchObject({ kind: "broken", reason: expect.stringMatching(/request/) });
  expect(gone).toContain("before");
});

test("a machine where nobody talks says so; one that greets for ever fills no memory", async () => {
  const silent = await machine(ONCE, { ready: false });
  for (let count = 0; count < 100; count++) silent.send("welcome ".repeat(1000));
  silent.end();
  expect(await silent.relay.ended).toEqual({ kind: "broken", reason: "the relay ended with exit code 1" });
});

test("more requests than may be unanswered wait on the machine", async () => {
  const { handler, requests, answer } = patient();
  const { send, stdout } = await machine(handler);
  send(Array.from({ length: 1000 }, (_, index) => `${index} get a 0 - - 0\n`).join(""));
  await until(() => requests.length === 256 && stdout.isPaused());
  for (let count = 0; count < 10; count++) answer({ code: 0 });
  await until(() => requests.length === 266 && stdout.isPaused());
  for (let count = 266; count <= 1000; count++) {
    answer({ code: 0 });
    await until(() => requests.length >= Math.min(count, 1000));
  }
  await until(() => !stdout.isPaused());
});

test("large values that nobody has taken yet hold up the next", async () => {
  const { handler, requests, answer } = patient();
  const { send, stdout } = await machine(handler);
  const value = Buffer.alloc(16_777_216);
  for (let count = 1; count <= 4; count++) {
    send(`${count} set a - - - ${value.length}\n`);
    send(value);
  }
  await until(() => requests.length === 2 && stdout.isPaused());
  answer({ code: 0 });
  await until(() => requests.length === 3 && stdout.isPaused());
  answer({ code: 0 });
  await until(() => requests.length === 4);
});

test("who withdraws is told to the handler and gets no answer; when the machine is gone all are", async () => {
  const { handler, requests, gone, answer } = patient();
  const { send, replies, end, relay } = await machine(handler);
  send("1 get a 0 - - 0\n2 get b 0 - - 0\n3 get c 0 - - 0\n");
  await until(() => requests.length === 3);
  send("1 drop - - - - 0\n");
  await until(() => gone.length === 1);
  answer({ code: 0 });
  answer({ code: 9 });
  await until(() => replies() === "2 9 - \n");
  end();
  await relay.ended;
  expect(gone).toEqual(["a", "c"]);
});
