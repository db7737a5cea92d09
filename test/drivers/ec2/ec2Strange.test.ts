/** What answers is not EC2, or is broken: it is told in words, soon, and nobody takes it for an empty cloud. */
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";

import { CloudUnreachableError, LostReplyError } from "../../../src/drivers/contract/driver.js";
import { never } from "../../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../../support/ec2.js";
import { callsOf, hastyClock, refuse } from "../../support/moto.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const { cloud, driver, live } = useCloud();
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => sockets.push(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

const page =
  (status: number, type: string, text: string): RequestListener =>
  (_question, answer) => {
    answer.writeHead(status, { "content-type": type, connection: "close" }).end(text);
  };

test.each([
  [200, "text/html", "<!DOCTYPE html><html><head><title>Welcome to the guest network</title></head></html>"],
  [200, "text/html", "<html><body>It works!</body></html>"],
  [200, "application/json", '{"ok":true}'],
  [404, "text/plain", "not here"],
])("a page instead of XML (HTTP %i, %s) is no empty cloud: it is told at once", async (status, type, text) => {
  const port = await listen(createServer(page(status, type, text)));
  const own = driver({ endpoint: `http://127.0.0.1:${port}` });
  const words = new RegExp(
    `HTTP status ${status} with ${type} instead of XML: ".+; what answers is not EC2's API: check endpoint:`,
  );
  for (const call of [
    () => own.list({ installation: "here", run: null }, never),
    () => own.describe(["i-0123456789abcdef0"], never),
    () => own.launch([wish(newRun(), "web")], never),
  ]) {
    const error: unknown = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CloudUnreachableError);
    expect((error as Error).message).toMatch(words);
  }
});

test("https to a plain port, http to a port of TLS and a port that is not HTTP say what to write", async () => {
  const plain = await listen(createServer(page(200, "text/xml", "<x/>")));
  await expect(driver({ endpoint: `https://127.0.0.1:${plain}` }).describe(["i-1"], never)).rejects.toThrow(
    /cannot be reached: .*does not speak TLS: write http:\/\/ instead of https:\/\/ in endpoint:/,
  );
  const ssh = await listen(createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")));
  await expect(driver({ endpoint: `http://127.0.0.1:${ssh}` }).describe(["i-1"], never)).rejects.toThrow(
    /cannot be reached: .*does not speak HTTP: check endpoint:/,
  );
  const folder = temporaryDirectory();
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x"],
    {
      stdio: "ignore",
    },
  );
  const tls = await listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }));
  const clock = hastyClock();
  const own = driver({ endpoint: `http://127.0.0.1:${tls}` }, { clock });
  // The connection is only cut: that may be a lost answer, once.
  const again = async () => {
    clock.slept += 6_000;
    return own.describe(["i-1"], never);
  };
  await expect(untilEnd(again)).rejects.toThrow(/nothing but errors for \d+ s: check region:/);
});

/** As the guard repeats a call whose answer is lost. */
async function untilEnd<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof LostReplyError) || attempt > 100) throw error;
    }
  }
}

test("errors for each query from the first one on end as a cloud that cannot be reached; one that has answered before is waited for", async () => {
  const clock = hastyClock();
  const broken = refuse("DescribeInstances", "InternalError", "An internal error has occurred", 500);
  cloud().setRule(broken);
  const own = driver({}, { clock });
  const query = async () => {
    clock.slept += 6_000;
    return own.describe(["i-0123456789abcdef0"], never);
  };
  await expect(untilEnd(query)).rejects.toThrow(
    /cannot be reached: DescribeInstances: InternalError: .*nothing but errors for 3\d s: check region: and endpoint:/,
  );
  cloud().setRule(null);
  expect(await own.describe(["i-0123456789abcdef0"], never)).toMatchObject([{ state: "unknown" }]);
  cloud().setRule(broken);
  for (let time = 0; time < 20; time += 1) await expect(query()).rejects.toThrow(LostReplyError);
});

test("a page instead of the answer to a launch leaves a doubt: no second machine is launched", async () => {
  const run = newRun();
  const own = driver();
  let isPage = true;
  cloud().layers = [
    async (call, next) => {
      const reply = await next(call);
      if (call.action !== "RunInstances" || !isPage || reply === "cut") return reply;
      isPage = false;
      return { status: 200, headers: { "content-type": "text/html" }, text: "<html>log in</html>" };
    },
  ];
  try {
    await expect(own.launch([wish(run, "web")], never)).rejects.toThrow(LostReplyError);
    machinesOf(await own.launch([wish(run, "web")], never));
  } finally {
    cloud().layers = [];
  }
  expect(await live(run)).toHaveLength(1);
  expect(callsOf(cloud(), "RunInstances")).toHaveLength(1);
});

test("a call that is throttled for long is told, ever more rarely", async () => {
  const [clock, told] = [hastyClock(), [] as string[]];
  cloud().setRule(refuse("RunInstances", "RequestLimitExceeded", "Request limit exceeded.", 503, (nth) => nth < 30));
  const own = driver({}, { clock, warn: (message: string) => void told.push(message) });
  machinesOf(await own.launch([wish(newRun(), "web")], never));
  expect(told.length).toBeGreaterThan(1);
  expect(told.length).toBeLessThan(10);
  for (const words of told) expect(words).toMatch(/^cloud "\w+": RunInstances throttled for \d+ s; it is tried again$/);
});
