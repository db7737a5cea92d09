/**
 * A server of the benchmark, on a free port of its machine's own address. A client's connection carries one scenario
 * and begins with a line `<scenario> <size>`. The server ends when all clients are done, and aborts the run when one of
 * them has failed.
 */
import { createServer } from "node:net";
import { bl, list, meet, pack } from "./bl.mjs";
import { program } from "./program.mjs";
import { settings } from "./scenarios.mjs";
import { attend } from "./serving.mjs";

await program(async () => {
  const { scenarios, barrierS } = settings(process.env);
  const counted = Object.fromEntries(scenarios.map((name) => [name, { bytes: 0, connections: 0 }]));
  const close = await listen(counted);
  await Promise.all([clientsDone(), meetAtStarts(scenarios, barrierS)]);
  close();
  await bl(["set", "counted"], pack(counted));
  for (const name of scenarios)
    console.log(`${name}: ${counted[name].bytes} bytes on ${counted[name].connections} connections`);
});

/** Resolves when clients may connect, with a function that closes the server. */
async function listen(counted) {
  const open = new Set();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", (error) => console.error(`${socket.remoteAddress}: ${error.message}`));
    attend(socket, counted);
  });
  const host = await bl(["get", "private_host"]);
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  const { port } = server.address();
  console.log(`process ${process.pid} listens on ${host}:${port}`);
  await bl(["set", "port", String(port)]);
  return () => {
    server.close();
    // Clients that are done have no connections, so any open one belongs to a stranger.
    for (const socket of open) socket.destroy();
  };
}

/** Joins the barrier of each scenario. Clients join when they are done with the previous one. */
async function meetAtStarts(scenarios, barrierS) {
  const parties = (await list("clients")).length + Number(await bl(["get", "replicas"]));
  for (const name of ["everybody-is-there", ...scenarios]) await meet(name, parties, barrierS);
}

/** If a client fails, aborts the run: otherwise all others would wait at the next barrier until their timeout. */
async function clientsDone() {
  await list("done", "--timeout", "0").catch(async (error) => {
    if (error.code === 1) await bl(["abort", `the benchmark cannot go on: ${error.said}`]);
    throw error;
  });
}
