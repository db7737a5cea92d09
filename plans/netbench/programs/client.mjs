/**
 * A client of the benchmark. It connects to its servers, meets all others at the start of each scenario, and publishes
 * its measurements. Servers and clients are paired in turns, so that each server has a client and each client a server.
 */
import { connect } from "node:net";
import { bl, list, meet, pack } from "./bl.mjs";
import { lifelines } from "./lifelines.mjs";
import { intervalFor, Meter, Times } from "./meter.mjs";
import { program } from "./program.mjs";
import { settings, SIZE, whole } from "./scenarios.mjs";
import { measure } from "./traffic.mjs";

const SIZES = { download: "chunk_bytes", upload: "chunk_bytes", roundtrip: "message_bytes" };

await program(async () => {
  const common = settings(process.env);
  const { durationMs } = common;
  const intervalMs = intervalFor(durationMs, whole("interval_ms", process.env.INTERVAL_MS, 10, 60_000));
  // Reports wrong sizes before anything is measured, not only in the last scenario.
  const sizes = await sizesFor(common.scenarios);
  const place = await findPlace();
  const { lost, letGo } = lifelines(place.servers);
  const results = await Promise.race([lost, measureAll(place, { ...common, intervalMs, sizes })]);
  letGo();
  await bl(["set", "results"], pack({ durationMs, intervalMs, results }));
  // The servers end when all clients have set this.
  await bl(["set", "done", "yes"]);
});

/** The message size in bytes, by scenario. */
async function sizesFor(scenarios) {
  const sizes = {};
  for (const name of scenarios) sizes[name] = whole(SIZES[name], await bl(["get", SIZES[name]]), SIZE.least, SIZE.most);
  return sizes;
}

/** All servers, the indices of this client's servers (from 0), and how many programs meet at a barrier. */
async function findPlace() {
  const [hosts, ports, replica, replicas] = await Promise.all([
    list("servers"),
    list("ports"),
    bl(["get", "replica"]),
    bl(["get", "replicas"]),
  ]);
  if (hosts.length === 0) throw new Error("there are no servers");
  const own = serversOf(Number(replica) - 1, Number(replicas), hosts.length);
  console.log(`process ${process.pid} uses ${own.map((index) => `${hosts[index]}:${ports[index]}`).join(", ")}`);
  return {
    servers: hosts.map((host, index) => ({ host, port: Number(ports[index]) })),
    own,
    parties: hosts.length + Number(replicas),
  };
}

/** One server; several if there are more servers than clients. Client and servers are numbered from 0. */
function serversOf(client, clients, servers) {
  if (servers <= clients) return [client % servers];
  return Array.from({ length: servers }, (_, index) => index).filter((index) => index % clients === client % clients);
}

async function measureAll({ servers, own, parties }, { scenarios, durationMs, intervalMs, barrierS, sizes }) {
  // The first barrier is a warm-up: what programs and the launcher do for the first time takes longer.
  await meet("everybody-is-there", parties, barrierS);
  const results = {};
  for (const name of scenarios) {
    const size = sizes[name];
    const sockets = await Promise.all(own.map((index) => open(servers[index])));
    const letGo = await meet(name, parties, barrierS);
    console.log(`${name}: let go`);
    const measured = together(
      await Promise.all(
        sockets.map((socket) => measure(name, { socket, size, durationMs, meter: new Meter(durationMs, intervalMs) })),
      ),
    );
    results[name] = { letGo, size, servers: own.map((index) => index + 1), ...measured };
    console.log(`${name}: ${measured.bytes} bytes in ${measured.elapsedMs} ms`);
  }
  return results;
}

/** The measurements of several connections as one. */
function together(measured) {
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const [first] = measured;
  const times = new Times();
  for (const { classes, longestMs } of measured) if (classes !== undefined) times.merge({ classes, longestMs });
  return {
    bytes: sum(measured.map(({ bytes }) => bytes)),
    counts: first.counts.map((_, index) => sum(measured.map(({ counts }) => counts[index]))),
    elapsedMs: Math.max(...measured.map(({ elapsedMs }) => elapsedMs)),
    ...(first.confirmed === undefined ? {} : { confirmed: sum(measured.map(({ confirmed }) => confirmed)) }),
    ...(first.classes === undefined ? {} : { classes: times.classes, longestMs: times.longestMs }),
  };
}

/** Connects before the start, because the time to connect belongs to no scenario. */
function open({ host, port }) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    socket.once("connect", () => resolve(socket)).once("error", reject);
    // The scenario reports an error at the barrier, because it finds the connection lost. An error without a listener
    // would end the process.
    socket.on("error", () => undefined);
  });
}
