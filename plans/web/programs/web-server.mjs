/**
 * The web shop: pages and items, kept in the database.
 *
 *   GET /               a greeting and the number of visits, counted by the database
 *   GET /health         200 while the database answers, else 503
 *   GET|PUT /items/key  reads or writes an item (JSON)
 */
import { createServer } from "node:http";
import { createClient } from "./db-client.mjs";

const { LISTEN, PORT, GREETING, DB, DB_TOKEN, CLUSTER, BOOTLEVEL_SERVICE } = process.env;
const LARGEST_ITEM = 64 * 1024;
const database = createClient({ address: DB, token: DB_TOKEN });

const server = createServer((request, response) => {
  response.setHeader("x-served-by", BOOTLEVEL_SERVICE);
  handle(request, response).catch((error) => {
    console.error(`${request.method} ${request.url}: ${error.message}`);
    if (!response.headersSent) send(response, error.status ?? 503, { error: error.message });
  });
});
server.listen(Number(PORT), LISTEN, () => console.log(`listening on ${LISTEN}:${PORT}`));
process.on("SIGTERM", () => process.exit(0));

async function handle(request, response) {
  const { pathname } = new URL(request.url, "http://shop");
  const item = /^\/items\/([\w.-]{1,100})$/.exec(pathname)?.[1];
  if (item !== undefined && request.method === "PUT") {
    await database.set(`item:${item}`, JSON.parse(await bodyOf(request)));
    return send(response, 200, { stored: item });
  }
  if (request.method !== "GET") return send(response, 405, { error: "method not allowed" });
  if (item !== undefined) {
    const value = await database.get(`item:${item}`);
    return value === undefined ? send(response, 404, { error: "no such item" }) : send(response, 200, value);
  }
  if (pathname === "/health") {
    await database.ping();
    return send(response, 200, { cluster: CLUSTER });
  }
  if (pathname === "/")
    return send(response, 200, {
      greeting: GREETING,
      from: BOOTLEVEL_SERVICE,
      visits: await database.increment("visits"),
    });
  return send(response, 404, { error: "not found" });
}

async function bodyOf(request) {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += chunk;
    if (body.length > LARGEST_ITEM) throw Object.assign(new Error("the item is too large"), { status: 413 });
  }
  try {
    JSON.parse(body);
  } catch {
    throw Object.assign(new Error("the item is not JSON"), { status: 400 });
  }
  return body;
}

function send(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(value)}\n`);
}
