/** The results as one self-contained page. Its markup is also well-formed XML. */
import { chart, escape } from "./chart.mjs";
import { milliseconds, rate, size } from "./summary.mjs";

const TITLES = {
  download: "Download: from servers to clients",
  upload: "Upload: from clients to servers",
  roundtrip: "Round trips: small messages there and back",
};
const PERCENTILES = [50, 90, 99, 99.9];
const STYLE = `body { font: 15px/1.5 sans-serif; color: #111827; max-width: 920px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: .25em .8em; text-align: right; border-bottom: 1px solid #e5e7eb }
th:first-child, td:first-child { text-align: left } svg { max-width: 100%; height: auto } .wrong { color: #b91c1c; font-weight: bold }`;

/** @param servers their addresses; at: when the page was made, a Date */
export function page({ run, line, scenarios, servers, at }) {
  return `<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head><meta charset="utf-8"/><title>${escape(run)}: network benchmark</title><style>${STYLE}</style></head>
<body>
<h1>Network benchmark ${escape(run)}</h1>
<p>${escape(line)}.</p>
<p>${escape(setting(scenarios, servers, at))}</p>
${totals(scenarios)}
<p>Start skew: between the first and the last client that was let go at the scenario's barrier, by the clocks of their machines. On several computers
it includes how far these clocks are apart.</p>
${scenarios.map(section).join("\n")}
</body>
</html>
`;
}

function setting(scenarios, servers, at) {
  const [{ clients }] = scenarios;
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const seconds = clients[0].durationMs / 1000;
  return (
    `Measured at ${at.toISOString().slice(0, 16).replace("T", " ")} UTC: ${count(servers.length, "server")} ` +
    `(${servers.join(", ")}), ${count(clients.length, "client")}, ${seconds} s for each scenario.`
  );
}

function totals(scenarios) {
  const rows = scenarios.map(({ name, clients, bytes, mbits, counted, agrees, skewMs }) =>
    row([
      name,
      new Set(clients.flatMap(({ servers }) => servers)).size,
      clients.length,
      `${clients[0].size} bytes`,
      size(bytes),
      rate(mbits),
      agrees ? "the same" : `<span class="wrong">${size(counted)}</span>`,
      milliseconds(skewMs),
    ]),
  );
  return table(
    ["Scenario", "Servers", "Clients", "Message size", "Moved", "Throughput", "Servers counted", "Start skew"],
    rows,
  );
}

function section({ name, clients, series, edges, times }) {
  return `<h2>${escape(TITLES[name] ?? name)}</h2>
${chart({ title: `${name}: throughput over time by client`, series, edges })}
${times === null ? "" : latencies(times)}
${clientTable(clients)}`;
}

function latencies(times) {
  const cells = [
    ...PERCENTILES.map((percent) => milliseconds(times.percentile(percent))),
    milliseconds(times.longestMs),
    times.count,
  ];
  return table([...PERCENTILES.map((percent) => `${percent} % within`), "Longest", "Round trips"], [row(cells)]);
}

function clientTable(clients) {
  const first = Math.min(...clients.map(({ letGo }) => letGo));
  const rows = clients.map(({ service, servers, bytes, elapsedMs, letGo }) =>
    row([
      escape(service),
      servers.join(", "),
      size(bytes),
      rate(elapsedMs > 0 ? (bytes * 8) / 1000 / elapsedMs : 0),
      milliseconds(letGo - first),
    ]),
  );
  return `<details><summary>By client</summary>${table(["Client", "Server", "Moved", "Throughput", "Started after"], rows)}</details>`;
}

const row = (cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
const table = (heads, rows) =>
  `<table><thead><tr>${heads.map((head) => `<th>${escape(head)}</th>`).join("")}</tr></thead><tbody>\n${rows.join("\n")}\n</tbody></table>`;
