/** SSH fan-out: bootlevel's overhead over the smallest ssh2 loop that sends as many bytes to as many hosts. */
import { createHash } from "node:crypto";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import { packBundle } from "../src/machines/program/bundle.js";
import { answer, figure, isGuard, median, type Figure, type Series } from "./support/answer.js";
import { ask, tell } from "./support/child.js";
import { cost, cpuNow } from "./support/cost.js";
import { watchWrites } from "./support/database.js";
import { otherTools } from "./support/fanOutTools.js";
import { bootOnce } from "./support/bootOnce.js";
import { temporaryFolder, writeText } from "./support/simulated.js";
import { overhear, smallestLoop, type Exec } from "./support/smallestLoop.js";
import { withSshHosts, type SshHosts } from "./support/sshHosts.js";

const SIZES = isGuard ? [50] : [50, 100, 200, 500];
/** Limits apply from this size on. In smaller boots, one-time costs dominate. */
const MANY = isGuard ? 50 : 200;
const TURNS = isGuard ? 1 : 3;

/** Wall-clock time and CPU time of this process, in seconds. */
interface Spent {
  readonly wall: number;
  readonly cpu: number;
}

interface Measured {
  readonly bootlevel: Spent;
  /** One command per host, which discards as many bytes. */
  readonly loop: Spent;
  /** One command per host, which unpacks both programs from as many bytes and runs them. */
  readonly byHand: Spent;
  /** The same commands as bootlevel's, so that the hosts do the same work. */
  readonly replay: Spent;
  /** The database's share of the boot's CPU time. */
  readonly databaseShare: number;
  readonly bytes: number;
  readonly execs: number;
}

/** Measures work. Garbage from earlier work is collected first. */
async function spent(work: () => Promise<void>): Promise<Spent> {
  globalThis.gc?.();
  const { wallMs, cpuMs } = await cost(work);
  return { wall: wallMs / 1000, cpu: cpuMs / 1000 };
}

/** Writes programs of a typical length. */
function writePrograms(folder: string): void {
  for (const name of ["boot.sh", "ready.sh"])
    writeFileSync(join(folder, name), `#!/bin/sh\n${"# a line as long as others\n".repeat(60)}exit 0\n`, {
      mode: 0o755,
    });
}

/**
 * Writes the plan: one level of hosts, each with a boot program and a ready program.
 * @returns its path
 */
function writePlan(hosts: SshHosts, count: number): string {
  const folder = temporaryFolder();
  writePrograms(folder);
  const { port, user, identity, knownHosts } = hosts;
  const pool = hosts.addresses.slice(0, count).map((host) => ({ host, port, user }));
  const defaults = { cloud: "rack", ssh: { identity, known_hosts: knownHosts, agent: false } };
  const levels = [{ services: { host: { replicas: count, boot: "boot.sh", ready: "ready.sh" } } }];
  return writeText(
    folder,
    "launch.yaml",
    JSON.stringify({ plan: "fan-out", clouds: { rack: { driver: "existing", hosts: pool } }, defaults, levels }),
  );
}

/** Every boot is another installation's: the marks of earlier ones, and of what was played back, would keep it out. */
function clear({ home }: SshHosts): void {
  for (const name of readdirSync(home)) rmSync(join(home, name), { recursive: true, force: true });
}

async function boot(hosts: SshHosts, count: number): Promise<Spent> {
  const [path, home] = [writePlan(hosts, count), temporaryFolder()];
  clear(hosts);
  return spent(async () => {
    await bootOnce(path, home);
  });
}

/**
 * bootlevel's own commands with another directory and nonce. The byte count in the command is adapted to the script's
 * length.
 */
function replayed({ command, input }: Exec, index: number, playback: number): Exec {
  const count = Number(/count=(\d+)/.exec(command)?.[1]);
  // The first command asks the shell whether programs can run there: a line for that precedes the script.
  const start = command.includes("read -r b") ? input.indexOf("\n") + 1 : 0;
  const script = input.toString("latin1", start, start + count);
  const nonce = /bl-begin ([0-9a-f]+)/.exec(script)?.[1] ?? "";
  const own = (text: string) =>
    text
      .replaceAll("host-1/", `host-${index}/`)
      .replaceAll(
        nonce,
        createHash("sha256").update(`${nonce}${index}/${playback}`).digest("hex").slice(0, nonce.length),
      );
  const changed = own(script);
  return {
    command: command.replace(/count=\d+/, `count=${changed.length}`),
    input: Buffer.from(
      input.toString("latin1", 0, start) + changed + own(input.toString("latin1", start + count)),
      "latin1",
    ),
  };
}

/** A hand-written command for both programs. */
async function byHand(bytes: number): Promise<Exec> {
  const folder = temporaryFolder();
  writePrograms(folder);
  const { content } = await packBundle({
    program: { kind: "file", path: join(folder, "boot.sh") },
    files: [join(folder, "ready.sh")],
  });
  const tar = await buffer(content);
  return {
    command: "d=$(mktemp -d) && cd $d && tar -xof - && ./boot.sh && ./ready.sh; c=$?; rm -r $d; exit $c",
    input: Buffer.concat([tar, Buffer.alloc(Math.max(0, bytes - tar.length))]),
  };
}

/** Everything runs in one process and in turns, so that the JIT has optimized all of it equally. */
async function measure(hosts: SshHosts, count: number): Promise<Measured[]> {
  const heard = await overhear(async () => {
    await boot(hosts, 2);
  });
  const execs = heard.filter(({ input }) => input.includes("host-1/"));
  const bytes = execs.reduce((sum, { input }) => sum + input.length, 0);
  const [swallow, hand]: Exec[] = [{ command: "cat >/dev/null", input: Buffer.alloc(bytes, "x") }, await byHand(bytes)];
  const { work } = watchWrites(cpuNow);
  let playback = 0;
  const turn = async (size: number): Promise<Measured> => {
    playback += 1;
    const before = work.ms;
    const bootlevel = await boot(hosts, size);
    const databaseShare = (work.ms - before) / 1000 / bootlevel.cpu;
    const loop = await spent(() => smallestLoop(hosts, size, () => [swallow as Exec]));
    const byHand = await spent(() => smallestLoop(hosts, size, () => [hand as Exec]));
    clear(hosts);
    const replay = await spent(() =>
      smallestLoop(hosts, size, (index) => execs.map((exec) => replayed(exec, index, playback))),
    );
    return { bootlevel, loop, byHand, replay, databaseShare, bytes, execs: execs.length };
  };
  await turn(Math.min(count, 100));
  const measured: Measured[] = [];
  for (let time = 1; time <= TURNS; time += 1) measured.push(await turn(count));
  return measured;
}

function figuresOf(size: number, measured: readonly Measured[]): { figures: Figure[]; note: string } {
  const [{ bytes, execs }] = measured as [Measured];
  const ratio = (of: "loop" | "byHand" | "replay", key: keyof Spent) =>
    measured.map((one) => one.bootlevel[key] / one[of][key]);
  const seconds = (of: "bootlevel" | "loop" | "byHand" | "replay", key: keyof Spent) =>
    measured.map((one) => one[of][key]);
  return {
    // The first limits have wide margins, because they are not reached yet: the guard reports only regressions.
    figures:
      size < MANY
        ? []
        : [
            figure(`${size} hosts: time over the loop`, ratio("loop", "wall"), { limit: 1.15, margin: 3 }),
            figure(`${size} hosts: time over a loop that unpacks and runs both programs`, ratio("byHand", "wall")),
            figure(`${size} hosts: time over a loop whose hosts do the same work`, ratio("replay", "wall"), {
              limit: 1.15,
              margin: 1.5,
            }),
            figure(`${size} hosts: processor time over the loop`, ratio("loop", "cpu"), { limit: 1.3, margin: 2.5 }),
            figure(`${size} hosts: processor time over a loop whose hosts do the same work`, ratio("replay", "cpu")),
            figure(
              `${size} hosts: the database's share of the boot's processor time`,
              measured.map(({ databaseShare }) => databaseShare),
              { limit: 0.05, margin: 2 },
            ),
            figure(`${size} hosts: the boot`, seconds("bootlevel", "wall"), { unit: " s" }),
            figure(`${size} hosts: the loop`, seconds("loop", "wall"), { unit: " s" }),
            figure(`${size} hosts: the loop whose hosts do the same work`, seconds("replay", "wall"), { unit: " s" }),
            figure(
              `${size} hosts: processor time a host`,
              seconds("bootlevel", "cpu").map((cpu) => (cpu / size) * 1000),
              { unit: " ms" },
            ),
            figure(
              `${size} hosts: the loop's processor time a host`,
              seconds("loop", "cpu").map((cpu) => (cpu / size) * 1000),
              { unit: " ms" },
            ),
          ],
    note: `${size} hosts: ${bytes} bytes and ${execs} commands a host.`,
  };
}

/** The lines of a chart: times of bootlevel and of the loops. */
function linesOf(measured: ReadonlyMap<number, readonly Measured[]>): Series[] {
  const line = (name: string, of: "bootlevel" | "loop" | "byHand" | "replay"): Series => ({
    name,
    points: [...measured].map(([size, turns]) => [size, median(turns.map((turn) => turn[of].wall))]),
  });
  return [
    line("bootlevel", "bootlevel"),
    line("loop, hosts do the same work", "replay"),
    line("loop, unpacks and runs by hand", "byHand"),
    line("smallest loop", "loop"),
  ];
}

const [size] = process.argv.slice(2);
if (size !== undefined) tell(await measure(JSON.parse(process.env["BENCH_HOSTS"] ?? "") as SshHosts, Number(size)));
else {
  await withSshHosts(Math.max(...SIZES), async (hosts) => {
    const measured = new Map<number, Measured[]>();
    for (const count of SIZES)
      measured.set(count, await ask<Measured[]>(import.meta.url, [count], { BENCH_HOSTS: JSON.stringify(hosts) }));
    const answers = [...measured].map(([count, turns]) => figuresOf(count, turns));
    const tools = isGuard
      ? { figures: [], notes: [], series: [] }
      : await otherTools(
          hosts,
          SIZES.filter((count) => count >= MANY),
        );
    const notes = [
      "Hosts and client share this machine's processors: what a host does counts as well.",
      ...answers.map(({ note }) => note),
      ...tools.notes,
    ];
    const series = [...linesOf(measured), ...tools.series];
    answer({
      title: "SSH fan-out: connect, stage, boot and ready, over the smallest loop (one sshd on loopback)",
      figures: [...answers.flatMap(({ figures }) => figures), ...tools.figures],
      notes,
      series,
    });
  });
}
