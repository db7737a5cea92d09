/**
 * Runs on a simulated cloud. The durations of machines and programs are drawn here, so the plan's critical path is
 * known.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadDriver } from "../../src/drivers/registry.js";
import { uniform } from "../../src/drivers/sim/chance.js";
import { bootRun, type BootResult } from "../../src/engine/operations/boot.js";
import { openStore } from "../../src/state/openStore.js";
import type { Store } from "../../src/state/contract/store.js";
import type { RunEvent } from "../../src/model/events.js";
import { VirtualClock } from "../../src/time/virtualClock.js";
import { cost, type Cost } from "./cost.js";
import { loadPlan } from "../../src/library/plans.js";

/** In memory if possible, to exclude the cost of the disk. */
const FAST = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export interface Sketch {
  readonly services: number;
  readonly levels: number;
  readonly seed: string;
  readonly concurrency?: number;
  readonly prelaunch?: string;
}

/** The durations of one service, in milliseconds. */
export interface Durations {
  readonly launch: number;
  readonly boot: number;
  readonly ready: number;
}

/** Typical cloud latencies: launches of half a minute to two minutes, programs of seconds to a minute. */
export function drawn({ seed }: Sketch, service: string): Durations {
  const between = (what: string, low: number, high: number): number =>
    Math.round(low + (high - low) * uniform(seed, service, what) ** 2);
  return {
    launch: between("launch", 20_000, 120_000),
    boot: between("boot", 2_000, 60_000),
    ready: between("ready", 100, 2_000),
  };
}

/** The names of the services by level. */
export function namesOf({ services, levels }: Sketch): string[][] {
  const name = (level: number, count: number) =>
    Array.from({ length: count }, (_, index) => (count === 1 ? `s${level}` : `s${level}-${index + 1}`));
  return Array.from({ length: levels }, (_, level) =>
    name(level, Math.floor(services / levels) + (level < services % levels ? 1 : 0)),
  );
}

/** The shortest possible boot time of the plan, level by level, in milliseconds. */
export function criticalPath(sketch: Sketch): number {
  const time = ({ launch, boot, ready }: Durations) => launch + boot + ready;
  return namesOf(sketch).reduce(
    (sum, names) => sum + names.reduce((longest, name) => Math.max(longest, time(drawn(sketch, name))), 0),
    0,
  );
}

/**
 * Writes the plan.
 * @returns its path
 */
export function writePlan(folder: string, sketch: Sketch): string {
  const names = namesOf(sketch);
  const services = names.flat().map((name): [string, object] => {
    const { launch, boot, ready } = drawn(sketch, name);
    return [
      name,
      { latency: `${launch}ms`, programs: { boot: { duration: `${boot}ms` }, ready: { duration: `${ready}ms` } } },
    ] as const;
  });
  const levels = names.map((own, level) => ({
    services: {
      [`s${level}`]: {
        ...(own.length > 1 ? { replicas: own.length } : {}),
        boot: { command: "boot" },
        ready: { command: "ready" },
      },
    },
  }));
  const plan = {
    plan: "bench",
    concurrency: sketch.concurrency ?? sketch.services,
    prelaunch: sketch.prelaunch ?? "none",
    clouds: { sky: { driver: "sim", services: Object.fromEntries(services) } },
    defaults: { cloud: "sky" },
    levels,
  };
  return writeText(folder, "launch.yaml", JSON.stringify(plan));
}

/** @returns the file's path */
export function writeText(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const folders = new Set<string>();
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is deleted when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(FAST, "bootlevel-bench-"));
  folders.add(folder);
  return folder;
}

export interface Booted extends Cost<BootResult> {
  /** By the run's own clock, in milliseconds. */
  readonly virtualMs: number;
  readonly store: Store;
  readonly home: string;
}

export interface BootOptions {
  readonly observe?: (event: RunEvent) => void;
  /** Called for each write, like a store's probe. */
  readonly probe?: (point: string) => void;
  /** Called with the store before it is used. */
  readonly use?: (store: Store) => void;
}

/** Boots a sketch on a virtual clock. The caller closes the store. */
export async function bootSketch(
  sketch: Sketch,
  { observe = () => undefined, probe, use = () => undefined }: BootOptions = {},
): Promise<Booted> {
  const home = temporaryFolder();
  const plan = await loadPlan(writePlan(temporaryFolder(), sketch));
  await loadDriver("sim", plan.dir);
  const start = Date.UTC(2000, 0, 1);
  const store = await openStore(home, { clock: new VirtualClock(start), ...(probe === undefined ? {} : { probe }) });
  use(store);
  const spent = await cost(() =>
    bootRun(store, { plan, variables: [], name: "bench", observe, signal: new AbortController().signal }),
  );
  return { ...spent, virtualMs: store.clock.now() - start, store, home };
}
