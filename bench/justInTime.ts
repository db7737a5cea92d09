/**
 * Machines before their level: the boot time and the paid machine time of each `prelaunch` mode, when earlier runs
 * provide durations.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { loadDriver } from "../src/drivers/registry.js";
import { uniform } from "../src/drivers/sim/chance.js";
import { bootRun } from "../src/engine/operations/boot.js";
import { openStore } from "../src/state/openStore.js";
import type { Store } from "../src/state/contract/store.js";
import { VirtualClock } from "../src/time/virtualClock.js";
import { answer, figure, isGuard, type Figure } from "./support/answer.js";
import { temporaryFolder, writeText } from "./support/simulated.js";
import { loadPlan } from "../src/library/plans.js";

const HOME = temporaryFolder();
const LEVELS = 5;
const SERVICES = 20;
/** The numbers of warm-up runs and of measured runs. */
const EARLIER = isGuard ? 6 : 12;
const MEASURED = isGuard ? 3 : 12;
const MODES = ["none", "next", "all", "just-in-time"] as const;
type Mode = (typeof MODES)[number];

/**
 * The median duration of boot programs in seconds. The 95th percentile is at most twice that. Launches take about 45 s.
 */
const PACES = [
  { name: "boots of seconds", boot: 15 },
  { name: "boots of minutes", boot: 150 },
] as const;
type Pace = (typeof PACES)[number];

interface Measured {
  readonly ms: number;
  /** The sum, over all machines, of the time from the launch until the run was ready. */
  readonly machineMs: number;
}

/** A plan whose services have different medians. The durations in a run depend on its seed. */
function planText(pace: Pace, mode: Mode, seed: string): string {
  const names = Array.from({ length: LEVELS }, (_, level) =>
    Array.from({ length: SERVICES }, (__, index) => `s${level}-${index}`),
  );
  const spread = (median: number, name: string, what: string) => {
    const p50 = Math.round(1000 * median * (0.6 + 0.8 * uniform("medians", name, what)));
    return { p50: `${p50}ms`, p95: `${p50 * 2}ms` };
  };
  const services = names.flat().map(
    (name) =>
      [
        name,
        {
          latency: spread(45, name, "launch"),
          programs: { boot: { duration: spread(pace.boot, name, "boot") }, ready: { duration: "1s" } },
        },
      ] as const,
  );
  const levels = names.map((own) => ({
    services: Object.fromEntries(own.map((name) => [name, { boot: { command: "boot" }, ready: { command: "ready" } }])),
  }));
  return JSON.stringify({
    plan: "bench",
    concurrency: 100,
    prelaunch: mode,
    clouds: { sky: { driver: "sim", seed, services: Object.fromEntries(services) } },
    defaults: { cloud: "sky" },
    levels,
  });
}

async function boot(
  store: Store,
  folder: string,
  [pace, mode, seed]: readonly [Pace, Mode, string],
): Promise<Measured> {
  const file = writeText(folder, "launch.yaml", planText(pace, mode, seed));
  const startedAt = store.clock.now();
  const { state, run, failures } = await bootRun(store, {
    plan: await loadPlan(file),
    variables: [],
    name: `${mode}-${seed}`,
    observe: () => undefined,
    signal: new AbortController().signal,
  });
  if (state !== "ready") throw new Error(`the run is ${state}: ${JSON.stringify(failures[0])}`);
  const readyAt = store.clock.now();
  const machines = await store.machines(await store.findRun(run));
  return {
    ms: readyAt - startedAt,
    machineMs: machines.reduce((sum, { requestedAt, endedAt }) => sum + (endedAt ?? readyAt) - requestedAt, 0),
  };
}

/** Measured runs of one mode, in a separate home, after warm-up runs. A measured run's seed is never used before. */
async function measure(pace: Pace, mode: Mode): Promise<Measured[]> {
  const folder = join(HOME, `${pace.boot} ${mode}`);
  mkdirSync(folder);
  await loadDriver("sim", folder);
  const store = await openStore(join(folder, "home"), {
    clock: new VirtualClock(Date.UTC(2000, 0, 1)),
    random: () => 0.5,
  });
  // Only this mode uses earlier runs.
  if (mode === "just-in-time")
    for (let run = 1; run <= EARLIER; run += 1) await boot(store, folder, [pace, "next", `earlier-${run}`]);
  const measured: Measured[] = [];
  for (let run = 1; run <= MEASURED; run += 1) measured.push(await boot(store, folder, [pace, mode, `${run}`]));
  await store.close();
  return measured;
}

const figures: Figure[] = [];
for (const pace of PACES) {
  const byMode = new Map<Mode, Measured[]>();
  for (const mode of MODES) byMode.set(mode, await measure(pace, mode));
  const over = (mode: Mode, base: Mode, key: keyof Measured) =>
    (byMode.get(mode) ?? []).map((one, index) => one[key] / (byMode.get(base)?.[index]?.[key] ?? NaN));
  for (const mode of MODES) {
    const limits =
      mode === "just-in-time"
        ? { time: { limit: 1.05, margin: 1.05 }, cost: { limit: 1.15, margin: 1.05 } }
        : { time: {}, cost: {} };
    if (mode !== "all")
      figures.push(figure(`${pace.name}, ${mode}: time over that of all`, over(mode, "all", "ms"), limits.time));
    if (mode !== "none")
      figures.push(
        figure(
          `${pace.name}, ${mode}: machine-minutes over those of none`,
          over(mode, "none", "machineMs"),
          limits.cost,
        ),
      );
  }
}
const notes = [
  "Machine-minutes: from each machine's launch until the run is ready. A run that is up sooner pays less for all of its machines: so less than none's are possible.",
  `Just-in-time goes by ${EARLIER} earlier runs with seeds of their own, and by those measured before.`,
];
answer({
  title: `Just in time: ${LEVELS} levels of ${SERVICES} services (simulated cloud, time that jumps)`,
  figures,
  notes,
});
