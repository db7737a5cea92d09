/**
 * An HTTP balancer: requests go to the healthy backends in turn. It polls each backend's /health twice a second. A
 * backend that does not answer gets no requests until it answers again. If a request without a body cannot be
 * delivered, it goes to the next backend.
 */
import { createServer, request as httpRequest } from "node:http";

const { LISTEN, PORT, BACKEND_HOSTS, BACKEND_PORTS } = process.env;
const HEALTH_MS = 500;
const ports = BACKEND_PORTS.split(",");
const backends = BACKEND_HOSTS.split(",").map((host, index) => ({ host, port: Number(ports[index]), healthy: true }));
let turn = 0;

const server = createServer((request, response) => {
  if (request.url === "/balancer")
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(backends));
  forward(request, response, backends.length);
});
server.listen(Number(PORT), LISTEN, () =>
  console.log(`listening on ${LISTEN}:${PORT} before ${backends.length} backends`),
);
process.on("SIGTERM", () => process.exit(0));
setInterval(() => backends.forEach(examine), HEALTH_MS);

function forward(request, response, tries) {
  const backend = nextBackend();
  if (backend === undefined) return void response.writeHead(503).end("no healthy backend\n");
  const { host, port } = backend;
  const outgoing = httpRequest(
    { host, port, method: request.method, path: request.url, headers: request.headers },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    },
  );
  outgoing.on("error", (error) => {
    setHealth(backend, false, error.message);
    if (response.headersSent) response.destroy();
    else if (isRepeatable(request) && tries > 1) forward(request, response, tries - 1);
    else response.writeHead(502).end(`${error.message}\n`);
  });
  response.on("close", () => outgoing.destroy());
  request.pipe(outgoing);
}

function nextBackend() {
  for (let step = 0; step < backends.length; step += 1) {
    const backend = backends[turn++ % backends.length];
    if (backend.healthy) return backend;
  }
  return undefined;
}

function isRepeatable(request) {
  return request.method === "GET" || request.method === "HEAD";
}

async function examine(backend) {
  try {
    const response = await fetch(`http://${backend.host}:${backend.port}/health`, {
      signal: AbortSignal.timeout(2000),
    });
    await response.arrayBuffer();
    setHealth(backend, response.ok, `status ${response.status}`);
  } catch (error) {
    setHealth(backend, false, error.cause?.message ?? error.message);
  }
}

function setHealth(backend, healthy, reason) {
  if (backend.healthy !== healthy)
    console.log(`${backend.host}:${backend.port} ${healthy ? "is back" : `is out: ${reason}`}`);
  backend.healthy = healthy;
}
