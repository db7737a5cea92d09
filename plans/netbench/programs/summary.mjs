/** Combines the results of all clients and servers. */
import { Times } from "./meter.mjs";

/** The figures of all scenarios. @param clients each client's results, by name; servers: the servers' results */
export function summarize(clients, servers) {
  const names = Object.keys(clients[0]?.results ?? {});
  return names.map((name) => {
    const own = clients.map(({ service, intervalMs, durationMs, results }) => ({
      service,
      intervalMs,
      durationMs,
      ...results[name],
    }));
    const counted = sum(servers.map((server) => server.counted[name].bytes));
    const started = own.map(({ letGo }) => letGo);
    return {
      name,
      clients: own,
      counted,
      ...rates(own),
      bytes: sum(own.map(({ bytes }) => bytes)),
      mbits: sum(own.map(({ bytes, elapsedMs }) => megabits(bytes, elapsedMs))),
      skewMs: Math.max(...started) - Math.min(...started),
      // The servers count independently of the clients.
      agrees: counted === sum(own.map(({ bytes, confirmed = bytes }) => (confirmed === bytes ? bytes : NaN))),
      times: name === "roundtrip" ? merged(own) : null,
    };
  });
}

/** Each client's megabits per second by interval, and the start of each interval in seconds. */
function rates(own) {
  const [{ intervalMs, durationMs }] = own;
  const length = Math.max(...own.map(({ counts }) => counts.length));
  // The last interval may be shorter.
  const widths = Array.from({ length }, (_, index) => Math.min(intervalMs, durationMs - index * intervalMs));
  const series = own.map(({ service, counts }) => ({
    name: service,
    values: widths.map((ms, index) => megabits(counts[index] ?? 0, ms)),
  }));
  return { series, edges: [...widths.map((_, index) => (index * intervalMs) / 1000), durationMs / 1000] };
}

function merged(own) {
  const all = new Times();
  for (const { classes, longestMs } of own) all.merge({ classes, longestMs });
  return all;
}

/** One line for the operator who watches the run. */
export function summaryLine(scenarios) {
  const parts = scenarios.map(({ name, mbits, times }) =>
    times === null
      ? `${name} ${rate(mbits)}`
      : `${name} ${times.count} times, median ${milliseconds(times.percentile(50))}, 99 % within ${milliseconds(times.percentile(99))}`,
  );
  const skew = Math.max(...scenarios.map(({ skewMs }) => skewMs));
  const count = scenarios[0].clients.length;
  return `${parts.join(", ")}; start skew ${milliseconds(skew)} over ${count} client${count === 1 ? "" : "s"}`;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const megabits = (bytes, ms) => (ms > 0 ? (bytes * 8) / 1000 / ms : 0);

export const rate = (mbits) =>
  mbits >= 1000 ? `${(mbits / 1000).toFixed(2)} Gbit/s` : `${mbits.toFixed(mbits >= 10 ? 0 : 2)} Mbit/s`;
export const milliseconds = (ms) => `${ms.toFixed(ms >= 100 ? 0 : ms >= 1 ? 1 : 3)} ms`;
export const size = (bytes) => {
  const [divisor, unit] =
    bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "bytes"];
  return `${(bytes / divisor).toFixed(divisor === 1 ? 0 : 2)} ${unit}`;
};
