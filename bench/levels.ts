/**
 * Levels: the overhead of a boot over its plan's critical path, and the cost per service, from 100 services to 10,000.
 */
import { boundHeapGrowth } from "../src/commands/heapGrowth.js";
import { answer, figure, isGuard, median, type Figure } from "./support/answer.js";
import { ask, tell } from "./support/child.js";
import { bootSketch, criticalPath, type Sketch } from "./support/simulated.js";

const SIZES = isGuard ? [100, 1_000] : [100, 1_000, 10_000];
const TIMES = isGuard ? 1 : 3;
const MEGABYTE = 1024 ** 2;

interface Measured {
  readonly timeRatio: number;
  readonly cpuMsPerService: number;
  readonly peakMb: number;
  readonly wallMs: number;
}

async function measure(sketch: Sketch): Promise<Measured> {
  boundHeapGrowth(); // as the command does
  const { result, virtualMs, cpuMs, wallMs, store } = await bootSketch(sketch);
  if (result.state !== "ready") throw new Error(`the run is ${result.state}: ${JSON.stringify(result.failures[0])}`);
  await store.close();
  return {
    timeRatio: virtualMs / criticalPath(sketch),
    cpuMsPerService: cpuMs / sketch.services,
    peakMb: (process.resourceUsage().maxRSS * 1024) / MEGABYTE,
    wallMs,
  };
}

const [services, levels, seed] = process.argv.slice(2);
if (services !== undefined)
  tell(await measure({ services: Number(services), levels: Number(levels), seed: seed ?? "" }));
else {
  const figures: Figure[] = [];
  const cpu = new Map<number, number[]>();
  const points: [number, number][] = [];
  for (const size of SIZES) {
    const measured: Measured[] = [];
    for (const depth of [1, 3, 10])
      for (let time = 1; time <= TIMES; time += 1)
        measured.push(await ask<Measured>(import.meta.url, [size, depth, `${size}.${depth}.${time}`]));
    const of = (key: keyof Measured) => measured.map((one) => one[key]);
    cpu.set(size, of("cpuMsPerService"));
    points.push([size, median(of("wallMs")) / 1000]);
    figures.push(
      figure(`${size} services in 1 to 10 levels: time over the critical path`, of("timeRatio"), {
        limit: 1.02,
        margin: 1.02,
      }),
    );
    figures.push(figure(`${size} services: processor time a service`, of("cpuMsPerService"), { unit: " ms" }));
    figures.push(
      figure(`${size} services: peak memory`, of("peakMb"), {
        unit: " MB",
        ...(size === 10_000 ? { limit: 400 } : {}),
      }),
    );
    figures.push(
      figure(
        `${size} services: the boot itself`,
        of("wallMs").map((ms) => ms / 1000),
        { unit: " s" },
      ),
    );
  }
  const [small, large] = [SIZES[0] as number, SIZES.at(-1) as number];
  const ratios = (cpu.get(large) ?? []).map((ms, index) => ms / (cpu.get(small)?.[index] ?? NaN));
  figures.push(figure(`processor time a service, ${large} over ${small}`, ratios, { limit: 1.3, margin: 1.5 }));
  answer({
    title: "Levels: what a boot costs beyond its plan (simulated cloud, time that jumps)",
    figures,
    series: [{ name: "bootlevel", points }],
  });
}
