/** The API through an HTTP proxy, as the environment says. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";

import { afterEach, expect, test } from "@jest/globals";

import { proxyFor } from "../../../src/drivers/ec2/httpsProxy.js";
import { never } from "../../support/drivers.js";
import { useCloud } from "../../support/ec2.js";
import { installation } from "../../support/installation.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const { cloud, driver } = useCloud();
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** The cloud behind TLS, with a certificate of its own. */
async function startSecureCloud(
  endpoint: string,
): Promise<{ readonly port: number; readonly certificate: string; readonly called: () => number }> {
  const directory = temporaryDirectory();
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
    ],
    { stdio: "ignore" },
  );
  let calls = 0;
  const server = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }, (question, answer) => {
    calls += 1;
    const { method = "GET", headers } = question;
    const call = request(`${endpoint}${question.url ?? ""}`, { method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 500, reply.headers);
      reply.pipe(answer);
    });
    question.pipe(call);
  });
  server.on("connection", (socket: Socket) => sockets.push(socket));
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return { port: (server.address() as AddressInfo).port, certificate: cert, called: () => calls };
}

/** A proxy that refuses everything, or leads everything to a port. @returns its port, and what it was asked for. */
async function startProxy(to?: number): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer();
  server.on("connection", (socket) => sockets.push(socket));
  server.on("connect", (question, socket) => {
    asked.push(`${question.url ?? ""} ${question.headers["proxy-authorization"] ?? ""}`);
    if (to !== undefined) {
      const target = connect(to, "127.0.0.1");
      sockets.push(target);
      // Each end may be destroyed while the other still writes.
      for (const end of [socket, target]) end.on("error", () => undefined);
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      target.pipe(socket).pipe(target);
      return;
    }
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

test("calls go through HTTPS_PROXY, whose refusal is told; hosts of NO_PROXY are called directly", async () => {
  const { port, asked } = await startProxy();
  const HTTPS_PROXY = `http://me:secret@127.0.0.1:${port}`;
  const endpoint = "https://ec2.cloud.example:8443";
  const through = driver({ endpoint }, { env: { HTTPS_PROXY } });
  await expect(through.describe(["i-1"], never)).rejects.toThrow(
    /cannot be reached: .*HTTPS_PROXY 127\.0\.0\.1:\d+: it refuses a connection to ec2\.cloud\.example:8443 \(HTTP status 407\)/,
  );
  expect(asked).toEqual([`ec2.cloud.example:8443 Basic ${Buffer.from("me:secret").toString("base64")}`]);
  const direct = driver({ endpoint: "https://127.0.0.1:9" }, { env: { HTTPS_PROXY, NO_PROXY: "127.0.0.1" } });
  await expect(direct.describe(["i-1"], never)).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/);
  expect(asked).toHaveLength(1);
});

test("a proxy that lets through carries the calls, encrypted up to the cloud", async () => {
  const secure = await startSecureCloud(cloud().endpoint);
  const { port, asked } = await startProxy(secure.port);
  const own = installation();
  const folder = own.plan(`plan: p
clouds:
  aws: { driver: ec2, region: eu-central-1, endpoint: "https://localhost:${secure.port}", allow_ssh_from: 203.0.113.7 }
defaults: { cloud: aws, image: ami-12345678, size: m5.huge }
levels: [{ services: { a: {} } }]
`);
  const env = {
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
    HTTPS_PROXY: `http://127.0.0.1:${port}`,
    NODE_EXTRA_CA_CERTS: secure.certificate,
  };
  const { code, stderr } = await own.call(["validate", folder, "--online"], { env });
  expect([code, stderr]).toEqual([2, expect.stringContaining("the region has no instance type m5.huge")]);
  expect(new Set(asked)).toEqual(new Set([`localhost:${secure.port} `]));
  expect(secure.called()).toBeGreaterThan(0);
});

test.each<[string, string, boolean]>([
  ["ec2.eu-central-1.amazonaws.com", "", true],
  ["ec2.eu-central-1.amazonaws.com", ".amazonaws.com", false],
  ["ec2.eu-central-1.amazonaws.com", "localhost, amazonaws.com:443", false],
  ["notamazonaws.com", "amazonaws.com", true],
  ["x.example", "*", false],
])("%s with NO_PROXY=%j goes through the proxy: %s", (host, list, through) => {
  expect(proxyFor(host, { HTTPS_PROXY: "proxy.example:3128", NO_PROXY: list }) !== null).toBe(through);
});
