/**
 * The sample plans/netbench: data really moves, the page can be read by others, and a client that dies holds nobody up.
 */
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, test } from "@jest/globals";

import { eventually, isAlive } from "../support/eventually.js";
import { installation, type Document, type Installation } from "../support/installation.js";
import { parseXml } from "../support/xml.js";

const PLAN = fileURLToPath(new URL("../../plans/netbench", import.meta.url));
const SCENARIOS = ["download", "upload", "roundtrip"];

/** The services of a run, which may have ended, by name. */
async function services(own: Installation, run: string): Promise<Map<string, Document>> {
  const { document } = await own.json(["show", run]);
  return new Map(
    document.levels.flatMap((level: Document) => level.services).map((service: Document) => [service.name, service]),
  );
}

const unpack = (service: Document, output: string): Document =>
  JSON.parse(Buffer.from(service.attributes[output].value, "base64").toString());

/** What execute programs have printed so far; "" before the first word. */
function printed(own: Installation, service: string): string {
  try {
    const [run = ""] = readdirSync(join(own.home, "runs"));
    return readFileSync(join(own.home, "runs", run, "logs", `${service}.execute.log`), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

const processOf = (own: Installation, service: string): Promise<number> =>
  eventually(
    `${service} tells its process`,
    () => Number(/process (\d+) /.exec(printed(own, service))?.[1] ?? 0) || null,
  );

test("data moves in every scenario, servers and clients count the same, and the page is well-formed with a picture of each", async () => {
  const own = installation();
  const page = join(own.directory, "page <&> é.html");
  const words = [
    "run",
    PLAN,
    "--name",
    "net",
    "--replicas",
    "client=3",
    "--var",
    "duration_ms=300",
    "--var",
    "interval_ms=50",
    "--var",
    `page=${page}`,
    "--set",
    "client.message_bytes=1000",
  ];
  const ended = await own.call(words);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  const all = await services(own, "net");
  const clients = [1, 2, 3].map((number) => unpack(all.get(`client-${number}`), "results"));
  const servers = [1, 2].map((number) => unpack(all.get(`server-${number}`), "counted"));
  for (const name of SCENARIOS) {
    const bytes = clients.map(({ results }) => results[name].bytes as number);
    for (const one of bytes) expect(one).toBeGreaterThan(0);
    expect(servers.reduce((sum, counted) => sum + counted[name].bytes, 0)).toBe(
      bytes.reduce((sum, one) => sum + one, 0),
    );
    expect(servers.map((counted) => counted[name].connections)).toEqual([2, 1]);
  }
  expect(clients[0].results.roundtrip.bytes % 1000).toBe(0);
  const elements = parseXml(readFileSync(page, "utf8").replace("<!DOCTYPE html>", ""));
  expect(elements.filter(({ name }) => name === "svg")).toHaveLength(SCENARIOS.length);
  const summary = String(all.get("report").attributes.summary.value);
  expect(summary).toMatch(
    /^download [\d.]+ [GM]bit\/s, upload [\d.]+ [GM]bit\/s, roundtrip \d+ times, median [\d.]+ ms, 99 % within [\d.]+ ms; start skew [\d.]+ ms over 3 clients$/,
  );
  expect(ended.stdout).toContain(`report says: ${summary}`);
  expect(elements.some(({ name, text }) => name === "p" && text === `${summary}.`)).toBe(true);
});

test("with more servers than clients every server is used, and the page tells date, servers and message sizes", async () => {
  const own = installation();
  const page = join(own.directory, "page.html");
  const ended = await own.call(
    ["run", PLAN, "--name", "net", "--replicas", "server=3", "--replicas", "client=2"].concat([
      "--var=duration_ms=200",
      "--var=interval_ms=50",
      `--var=page=${page}`,
    ]),
  );
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  const all = await services(own, "net");
  const counted = [1, 2, 3].map((number) => unpack(all.get(`server-${number}`), "counted"));
  for (const name of SCENARIOS) {
    expect(counted.map((server) => server[name].connections)).toEqual([1, 1, 1]);
    for (const server of counted) expect(server[name].bytes).toBeGreaterThan(0);
  }
  const used = [1, 2].map((number) => unpack(all.get(`client-${number}`), "results").results.download.servers);
  expect(used).toEqual([[1, 3], [2]]);
  const text = readFileSync(page, "utf8");
  expect(text).toMatch(
    /<p>Measured at 20\d\d-\d\d-\d\d \d\d:\d\d UTC: 3 servers \(127\.[\d.]+, 127\.[\d.]+, 127\.[\d.]+\), 2 clients, 0\.2 s for each scenario\.<\/p>/,
  );
  expect(text).toMatch(/<td>roundtrip<\/td><td>3<\/td><td>2<\/td><td>64 bytes<\/td>/);
});

test("a client that is killed in the middle ends the benchmark at once, by its name, and nothing is left", async () => {
  const own = installation();
  // Longer than anybody would wait: it is not the time that ends it.
  const started = own.start([
    "run",
    PLAN,
    "--name",
    "net",
    "--var",
    "duration_ms=600000",
    "--var",
    "scenarios=download",
  ]);
  const processes = await Promise.all(
    ["server-1", "server-2", "client-1", "client-2", "client-3", "client-4"].map((name) => processOf(own, name)),
  );
  const [, host = "", port = ""] = await eventually("the server's address", () =>
    / listens on ([\d.]+):(\d+)/.exec(printed(own, "server-1")),
  );
  await eventually("client-2 is let go", () => printed(own, "client-2").includes("download: let go"));
  killGroupOf(processes[3] as number);
  const { code, stdout } = await started.ended;
  expect(code).toBe(1);
  // A server that hears of it, or the run itself, whoever is first.
  expect(stdout).toMatch(
    /The run was aborted by (server-[12]: the benchmark cannot go on|on_failure): client-2 failed/,
  );
  expect(stdout).toContain("No machine is left: 6 machines ended.");
  await eventually("all processes are gone", () => !processes.some(isAlive));
  expect(await refused(host, Number(port))).toBe(true);
});

test("a server that dies ends the benchmark at once", async () => {
  const own = installation();
  const started = own.start([
    "run",
    PLAN,
    "--name",
    "net",
    "--replicas",
    "server=1",
    "--replicas",
    "client=2",
    "--var",
    "duration_ms=600000",
    "--var",
    "scenarios=download",
  ]);
  const [server, ...clients] = await Promise.all(
    ["server", "client-1", "client-2"].map((name) => processOf(own, name)),
  );
  killGroupOf(server as number);
  const { code, stdout } = await started.ended;
  expect(code).toBe(1);
  // While data flow, their connection may be the first to tell.
  expect(stdout).toMatch(/server 1 of 1 is gone|ECONNRE|the server (closed|ended)/);
  await eventually("all processes are gone", () => !clients.some(isAlive));
});

test("a scenario that there is not, and a size that cannot be, end everybody with words", async () => {
  const own = installation();
  const unknown = await own.call(["run", PLAN, "--var", "scenarios=download,uplod"]);
  expect(unknown).toMatchObject({ code: 1 });
  expect(unknown.stdout).toContain('there is no scenario "uplod": there are download, upload, roundtrip');
  const size = await own.call(["run", PLAN, "--set", "client.chunk_bytes=0"]);
  expect(size).toMatchObject({ code: 1 });
  expect(size.stdout).toContain('chunk_bytes is "0", and not a whole number from 1 to 4194304');
  const late = await own.call(["run", PLAN, "--set", "client.message_bytes=some"]);
  expect(late.stdout).toContain('message_bytes is "some", and not a whole number from 1 to 4194304');
  expect(late.stdout).not.toContain("let go");
});

/** The program's own process group: what it has started dies with it. */
function killGroupOf(pid: number): void {
  const [, , group] = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  process.kill(-Number(group), "SIGKILL");
}

function refused(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      resolve(false);
      socket.destroy();
    });
    socket.once("error", () => {
      resolve(true);
    });
  });
}
