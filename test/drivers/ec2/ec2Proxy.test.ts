/** The API through an HTTP proxy, as the environment says. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { afterEach, expect, test } from "@jest/globals";

import { proxyFor } from "../../../src/drivers/ec2/httpsProxy.js";
import { never } from "../../support/drivers.js";
import { useCloud } from "../../support/ec2.js";

const { driver } = useCloud();
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A proxy that refuses everything. @returns its port, and what it was asked for. */
async function startProxy(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer();
  server.on("connection", (socket) => sockets.push(socket));
  server.on("connect", (question, socket) => {
    asked.push(`${question.url ?? ""} ${question.headers["proxy-authorization"] ?? ""}`);
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

test.each<[string, string, boolean]>([
  ["ec2.eu-central-1.amazonaws.com", "", true],
  ["ec2.eu-central-1.amazonaws.com", ".amazonaws.com", false],
  ["ec2.eu-central-1.amazonaws.com", "localhost, amazonaws.com:443", false],
  ["notamazonaws.com", "amazonaws.com", true],
  ["x.example", "*", false],
])("%s with NO_PROXY=%j goes through the proxy: %s", (host, list, through) => {
  expect(proxyFor(host, { HTTPS_PROXY: "proxy.example:3128", NO_PROXY: list }) !== null).toBe(through);
});
