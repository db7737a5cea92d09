/** A cloud that speaks EC2's API (moto, a process of its own), and a proxy before it that does to calls what networks and clouds do. */
import { spawn } from "node:child_process";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { createServer as createSocket, type AddressInfo } from "node:net";

import type { Clock } from "../../src/time/clock.js";
import { eventually } from "./eventually.js";

// The SDK's chain finds these before anything that this computer really has.
Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_EC2_METADATA_DISABLED: "true", AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  AWS_CONFIG_FILE: "/nonexistent/config", AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
});
for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"]) Reflect.deleteProperty(process.env, name);

/** What becomes of a call: an answer of the proxy's own, the connection cut before or after the cloud did it, or null: it goes through. */
export type Fate = { readonly status: number; readonly code: string; readonly message: string } | "cut-before" | "cut-after" | null;
export type Rule = (action: string, parameters: URLSearchParams, nth: number) => Fate;

export interface Cloud {
  readonly endpoint: string;
  /** The calls so far, since `rule` was last set. */
  calls: URLSearchParams[];
  setRule(rule: Rule | null): void;
  /** Whether RunInstances gives as many machines as MaxCount says, as EC2 does. By itself this cloud gives as many as MinCount says. */
  generous: boolean;
  /** Changes what the cloud answers; null: nothing. */
  rewrite: ((answer: string) => string) | null;
  stop(): Promise<void>;
}

/** Starts the cloud and the proxy; `endpoint` is the proxy's. */
export async function startCloud(): Promise<Cloud> {
  const port = await freePort();
  const moto = spawn("python3", ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const exited = new Promise<void>((resolve) => { moto.once("exit", () => { resolve(); }); });
  await eventually("moto answers", async () => fetch(`http://127.0.0.1:${port}/moto-api/`).then(({ ok }) => ok, () => false), 60_000);
  let rule: Rule | null = null;
  const counts = new Map<string, number>();
  const proxy = createServer((question, answer) => {
    void (async () => {
      const body = await read(question);
      const parameters = new URLSearchParams(body.toString());
      const action = parameters.get("Action") ?? "";
      counts.set(action, (counts.get(action) ?? 0) + 1);
      cloud.calls.push(parameters);
      const fate = rule?.(action, parameters, counts.get(action) ?? 0) ?? null;
      if (fate === "cut-before") return void question.socket.destroy();
      const { status, headers, text } = typeof fate === "object" && fate !== null ? refusal(fate) : await forward(question, cloud.generous ? generously(parameters) : body, port);
      if (fate === "cut-after") return void question.socket.destroy();
      const sent = cloud.rewrite?.(text) ?? text;
      answer.writeHead(status, { ...headers, "content-length": Buffer.byteLength(sent) });
      answer.end(sent);
    })();
  });
  await new Promise<void>((resolve) => { proxy.listen(0, "127.0.0.1", resolve); });
  const cloud: Cloud = {
    endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    calls: [],
    generous: true,
    rewrite: null,
    setRule(next) {
      rule = next;
      cloud.generous = true;
      counts.clear();
      cloud.calls = [];
    },
    async stop() {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      moto.kill("SIGKILL");
      await exited;
    },
  };
  return cloud;
}

/** Calls of one kind. */
export function callsOf(cloud: Cloud, action: string): URLSearchParams[] {
  return cloud.calls.filter((parameters) => parameters.get("Action") === action);
}

/** A clock whose sleepers do not wait: time goes on by as much as they would have slept. */
export function hastyClock(): Clock & { slept: number } {
  const clock = {
    slept: 0,
    now: () => Date.now() + clock.slept,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted();
      clock.slept += ms;
      await new Promise(setImmediate);
    },
  };
  return clock;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

function refusal({ status, code, message }: Exclude<Fate, string | null>): Reply {
  const text = `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>`;
  return { status, headers: { "content-type": "text/xml" }, text };
}

function generously(asked: URLSearchParams): Buffer {
  const parameters = new URLSearchParams(asked);
  if (parameters.has("MinCount")) parameters.set("MinCount", parameters.get("MaxCount") ?? "");
  return Buffer.from(parameters.toString());
}

function forward(question: IncomingMessage, body: Buffer, port: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({ host: "127.0.0.1", port, method: question.method, path: question.url, headers: { ...question.headers, "content-length": body.length } }, (reply) => {
      read(reply).then((text) => { resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text: text.toString() }); }, reject);
    });
    call.once("error", reject);
    call.end(body);
  });
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function freePort(): Promise<number> {
  const server = createSocket();
  await new Promise<void>((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}
