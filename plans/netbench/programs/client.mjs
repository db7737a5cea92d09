/**
 * A client of the benchmark. It connects to its server (client 1 to the first, client 2 to the second, and so on in
 * turns), meets all others at the start of each scenario, and publishes its measurements.
 */
import { connect } from "node:net";
import { bl, list, meet, pack } from "./bl.mjs";
import { lifelines } from "./lifelines.mjs";
import { intervalFor, Meter } from "./meter.mjs";
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

/** All servers, the index of this client's server (from 0), and how many programs meet at a barrier. */
async function findPlace() {
  const [hosts, ports, replica, replicas] = await Promise.all([
    list("servers"),
    list("ports"),
    bl(["get", "replica"]),
    bl(["get", "replicas"]),
  ]);
  if (hosts.length === 0) throw new Error("there are no servers");
  const own = (Number(replica) - 1) % hosts.length;
  console.log(`process ${process.pid} uses ${hosts[own]}:${ports[own]}`);
  return {
    servers: hosts.map((host, index) => ({ host, port: Number(ports[index]) })),
    own,
    parties: hosts.length + Number(replicas),
  };
}

async function measureAll({ servers, own, parties }, { scenarios, durationMs, intervalMs, barrierS, sizes }) {
  // The first barrier is a warm-up: what programs and the launcher do for the first time takes longer.
  await meet("everybody-is-there", parties, barrierS);
  const results = {};
  for (const name of scenarios) {
    const size = sizes[name];
    const socket = await open(servers[own]);
    const letGo = await meet(name, parties, barrierS);
    console.log(`${name}: let go`);
    const measured = await measure(name, { socket, size, durationMs, meter: new Meter(durationMs, intervalMs) });
    results[name] = { letGo, server: own + 1, ...measured };
    console.log(`${name}: ${measured.bytes} bytes in ${measured.elapsedMs} ms`);
  }
  return results;
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
