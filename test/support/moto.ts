/**
 * A cloud that speaks EC2's API (moto, a process of its own), and a proxy before it that does to calls what networks
 * and clouds do.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Agent, createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo, Server } from "node:net";

import type { Clock } from "../../src/time/clock.js";
import { exitOf } from "./children.js";
import { dieWithParent } from "./dieWithParent.js";
import { eventually, within } from "./eventually.js";

// The SDK's chain finds these before anything that this computer really has.
Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  AWS_CONFIG_FILE: "/nonexistent/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
});
for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"]) Reflect.deleteProperty(process.env, name);

/**
 * What becomes of a call: an answer of the proxy's own, the connection cut before or after the cloud did it, or null:
 * it goes through.
 */
export type Fate =
  { readonly status: number; readonly code: string; readonly message: string } | "cut-before" | "cut-after" | null;
export type Rule = (action: string, parameters: URLSearchParams, nth: number) => Fate;

/** The cloud refuses a call: always, or the nth ones. */
export const refuse =
  (action: string, code: string, message: string, status = 400, which: (nth: number) => boolean = () => true): Rule =>
  (asked, _parameters, nth) =>
    asked === action && which(nth) ? { status, code, message } : null;

/** A call's connection is cut, before or after it took effect. */
export const cut =
  (action: string, how: "cut-before" | "cut-after", which: (nth: number) => boolean): Rule =>
  (asked, _parameters, nth) =>
    asked === action && which(nth) ? how : null;

/** A call on its way to the cloud. */
export interface Call {
  readonly action: string;
  readonly parameters: URLSearchParams;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** Hands a call on, as it came or changed. "cut": the connection ends without an answer. */
export type Next = (call: Call) => Promise<Reply | "cut">;
/** Stands between the caller and the cloud: refuses a call, changes it, or changes its answer. */
export type Layer = (call: Call, next: Next) => Promise<Reply | "cut">;

export interface Cloud {
  /** The proxy. */
  readonly endpoint: string;
  /** The cloud itself, past the proxy. */
  readonly direct: string;
  /** The calls so far, since `rule` was last set. */
  calls: URLSearchParams[];
  setRule(rule: Rule | null): void;
  /**
   * Whether RunInstances gives as many machines as MaxCount says, as EC2 does. By itself this cloud gives as many as
   * MinCount says.
   */
  generous: boolean;
  /** Changes what the cloud answers; null: nothing. */
  rewrite: ((answer: string) => string) | null;
  /** What a call passes after the rule, the first one first. */
  layers: readonly Layer[];
  /** Lets the proxy answer there too: a socket that listens, perhaps in another network. It ends with the cloud. */
  attach(server: Server): void;
  stop(): Promise<void>;
}

/**
 * moto's addresses are random and may come twice. Here private ones outside of subnets are counted (in subnets moto
 * counts them itself), and those of ended machines are given again to calls that say so (AddressReuse). A machine's
 * public address has the last two numbers of its private one.
 */
const MOTO = `
import itertools, sys
import moto.ec2.models.instances as instances
from flask import request
count, free = itertools.count(), []
def private_address():
    if free and request.form.get("AddressReuse") == "true":
        return free.pop(0)
    number = next(count)
    return f"10.200.{128 + number // 250 % 128}.{number % 250 + 1}"
instances.random_private_ip = private_address
terminate = instances.Instance.terminate
def terminate_and_free(self, *args, **options):
    if self.state != "terminated" and self.private_ip.startswith("10.200."):
        free.append(self.private_ip)
    return terminate(self, *args, **options)
instances.Instance.terminate = terminate_and_free
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
def public_address(self):
    if str(self.public_ip_auto_assign).lower() == "true":
        self.public_ip = ".".join(["54", "214"] + self.private_ip_address.split(".")[2:])
NetworkInterface.check_auto_public_ip = public_address
start = instances.Instance.start
def start_elsewhere(self, *args, **options):
    # A machine that was stopped gets another public address.
    stopped = self._state.name == "stopped"
    result = start(self, *args, **options)
    nic = self.nics[0] if self.nics else None
    if stopped and nic is not None and nic.public_ip:
        number = next(count)
        nic.public_ip = f"54.214.{number // 250 % 128}.{number % 250 + 1}"
    return result
instances.Instance.start = start_elsewhere
from moto.server import main
main(sys.argv[1:])
`;
import { freePort } from "./freePort.js";

/** Starts the cloud and the proxy; `endpoint` is the proxy's. */
export async function startCloud(): Promise<Cloud> {
  const port = await freePort();
  const words = ["python3", "-c", MOTO, "-H", "127.0.0.1", "-p", String(port)];
  // A test worker that crashes must not leave it.
  const [program = "", ...rest] = existsSync("/usr/bin/setpriv") ? dieWithParent(words) : words;
  const moto = spawn(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  moto.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    errors = (errors + chunk).slice(-2_000);
  });
  await eventually(
    "moto answers",
    async () =>
      fetch(`http://127.0.0.1:${port}/moto-api/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    60_000,
    () => errors,
  );
  let rule: Rule | null = null;
  const counts = new Map<string, number>();
  // One call at a time: moto's threads trip over each other's changes.
  const agent = new Agent({ keepAlive: false, maxSockets: 1 });
  const proxy = createServer((question, answer) => {
    void (async () => {
      const body = await read(question);
      const parameters = new URLSearchParams(body.toString());
      const action = parameters.get("Action") ?? "";
      counts.set(action, (counts.get(action) ?? 0) + 1);
      cloud.calls.push(parameters);
      const fate = rule?.(action, parameters, counts.get(action) ?? 0) ?? null;
      if (fate === "cut-before") return void question.socket.destroy();
      const ask: Next = (call) =>
        forward(
          question,
          cloud.generous
            ? generously(call.parameters)
            : call.parameters === parameters
              ? body
              : Buffer.from(call.parameters.toString()),
          { port, agent },
        );
      const path = cloud.layers.reduceRight<Next>((next, layer) => (call) => layer(call, next), ask);
      const reply = typeof fate === "object" && fate !== null ? refusal(fate) : await path({ action, parameters });
      if (fate === "cut-after" || reply === "cut") return void question.socket.destroy();
      const sent = cloud.rewrite?.(reply.text) ?? reply.text;
      answer.writeHead(reply.status, { ...reply.headers, "content-length": Buffer.byteLength(sent) });
      answer.end(sent);
    })().catch((error: unknown) => {
      if (!stopped) console.error(error);
      question.socket.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, "127.0.0.1", resolve);
  });
  let stopped = false;
  const attached: Server[] = [];
  const cloud: Cloud = {
    endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    direct: `http://127.0.0.1:${port}`,
    calls: [],
    generous: true,
    rewrite: null,
    layers: [],
    setRule(next) {
      rule = next;
      cloud.generous = true;
      counts.clear();
      cloud.calls = [];
    },
    attach(server) {
      server.on("connection", (socket) => proxy.emit("connection", socket));
      attached.push(server);
    },
    async stop() {
      stopped = true;
      for (const server of attached) server.close();
      proxy.closeAllConnections();
      await within("the proxy is closed", new Promise((resolve) => proxy.close(resolve)), 10_000);
      agent.destroy();
      moto.kill("SIGKILL");
      await exitOf("moto", moto);
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

/** EC2's way to say no. */
export function refusal({ status, code, message }: Exclude<Fate, string | null>): Reply {
  const text = `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>`;
  return { status, headers: { "content-type": "text/xml" }, text };
}

function generously(asked: URLSearchParams): Buffer {
  const parameters = new URLSearchParams(asked);
  if (parameters.has("MinCount")) parameters.set("MinCount", parameters.get("MaxCount") ?? "");
  return Buffer.from(parameters.toString());
}

function forward(
  question: IncomingMessage,
  body: Buffer,
  { port, agent }: { readonly port: number; readonly agent: Agent },
): Promise<Reply> {
  const headers = { ...question.headers, "content-length": String(body.length) };
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: "127.0.0.1", port, agent, method: question.method, path: question.url, headers },
      (reply) => {
        read(reply).then((text) => {
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text: text.toString() });
        }, reject);
      },
    );
    call.once("error", reject);
    call.end(body);
  });
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
