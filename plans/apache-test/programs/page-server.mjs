/** Serves one page: page-server.mjs HOST PORT FILE */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const [host, port, file] = process.argv.slice(2);
const page = readFileSync(file);
createServer((request, response) => {
  if (request.url === "/") response.writeHead(200, { "content-type": "text/html" }).end(page);
  else response.writeHead(404).end("not found\n");
}).listen(Number(port), host);
