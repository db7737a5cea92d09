/** State: what the record of a boot costs, and what is asked of it afterwards. */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";

import { GroupCommit } from "../src/state/groupCommit.js";
import type { Store } from "../src/state/store.js";
import { answer, figure, isGuard, type Figure } from "./support/answer.js";
import { ask, tell } from "./support/child.js";
import { bootSketch, temporaryFolder, type Booted, type Sketch } from "./support/simulated.js";

const SIZE = isGuard ? 1_000 : 10_000;
const TIMES = isGuard ? 1 : 3;

interface Measured {
  readonly writesPerService: number;
  readonly commitsPerService: number;
  readonly microsecondsPerWrite: number;
  readonly shareOfCpu: number;
  readonly bytesPerService: number;
}

let inDatabaseMs = 0;
let commits = 0;
let depth = 0;

/** User and system time of this process, in milliseconds. */
function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timed<T>(work: () => T): T {
  if (depth > 0) return work();
  depth += 1;
  const start = cpuNow();
  try {
    return work();
  } finally {
    depth -= 1;
    inDatabaseMs += cpuNow() - start;
  }
}

function watchDatabase(): void {
  const flush = Object.getOwnPropertyDescriptor(GroupCommit.prototype, "flush")?.value as (this: GroupCommit) => void;
  GroupCommit.prototype.flush = function (this: GroupCommit) {
    commits += 1;
    timed(() => { flush.call(this); });
  };
}

function watchReads(store: Store): void {
  const methods = store as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    if (typeof method === "function" && !["clock", "probe", "random", "close"].includes(name)) methods[name] = (...words: unknown[]) => timed(() => (method as (...given: unknown[]) => unknown)(...words));
  }
}

async function measure(sketch: Sketch): Promise<Measured> {
  watchDatabase();
  let writes = 0;
  const { result, cpuMs, store, home }: Booted = await bootSketch(sketch, { probe: (point) => { if (point.startsWith("after write")) writes += 1; }, use: watchReads });
  if (result.state !== "ready") throw new Error(`the run is ${result.state}`);
  store.close();
  const { services } = sketch;
  const bytes = statSync(join(home, "bootlevel.db")).size;
  return { writesPerService: writes / services, commitsPerService: commits / services, microsecondsPerWrite: (inDatabaseMs * 1000) / writes, shareOfCpu: inDatabaseMs / cpuMs, bytesPerService: bytes / services };
}

function seconds(words: readonly string[], home: string): number {
  const start = performance.now();
  execFileSync(process.execPath, words, { env: { ...process.env, BOOTLEVEL_HOME: home }, stdio: "ignore" });
  return (performance.now() - start) / 1000;
}

/** Short commands on the record of a large run, over `node -e 0`. */
async function questions(): Promise<Figure[]> {
  const booted = await bootSketch({ services: SIZE, levels: 3, seed: "questions" });
  booted.store.close();
  const cli = join(process.cwd(), "dist/cli.js");
  return [["list"], ["show", "bench"], ["status", "bench"]].map((words) => {
    const ratios = Array.from({ length: 3 }, () => seconds([cli, ...words], booted.home) / seconds(["-e", "0"], booted.home));
    return figure(`bootlevel ${words[0] ?? ""} of ${SIZE} services, over node -e 0`, ratios, words[0] === "list" ? { limit: 3, margin: 1.3 } : {});
  });
}

const [services, seed] = process.argv.slice(2);
if (services !== undefined) tell(await measure({ services: Number(services), levels: 3, seed: seed ?? "" }));
else {
  const measured: Measured[] = [];
  for (let time = 1; time <= TIMES; time += 1) measured.push(await ask<Measured>(import.meta.url, [SIZE, time]));
  const of = (key: keyof Measured) => measured.map((one) => one[key]);
  temporaryFolder();
  answer({
    title: `State: what the record of ${SIZE} services' boot costs`,
    figures: [
      figure("writes a service", of("writesPerService")),
      figure("commits a service, machines' times all different", of("commitsPerService")),
      figure("processor time a write", of("microsecondsPerWrite"), { unit: " µs" }),
      figure("the database's share of the boot's processor time", of("shareOfCpu"), { limit: 0.05, margin: 3 }),
      figure("bytes on disk a service", of("bytesPerService")),
      ...(await questions()),
    ],
  });
}
