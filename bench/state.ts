/** State: the cost of recording a boot, and of reading the record later. */
import { statSync } from "node:fs";
import { join } from "node:path";

import { answer, figure, isGuard, type Figure } from "./support/answer.js";
import { ask, tell } from "./support/child.js";
import { overNothing } from "./support/commandTime.js";
import { watchWrites } from "./support/database.js";
import { bootSketch, type Booted, type Sketch } from "./support/simulated.js";

const SIZE = isGuard ? 1_000 : 10_000;
const TIMES = isGuard ? 1 : 3;

interface Measured {
  readonly writesPerService: number;
  readonly commitsPerService: number;
  readonly microsecondsPerWrite: number;
  readonly shareOfTime: number;
  readonly bytesPerService: number;
}

async function measure(sketch: Sketch): Promise<Measured> {
  // On a virtual clock there are no waits: the whole boot is work.
  const { work, watchReads } = watchWrites(() => performance.now());
  let writes = 0;
  const { result, wallMs, store, home }: Booted = await bootSketch(sketch, {
    probe: (point) => {
      if (point.startsWith("after write")) writes += 1;
    },
    use: watchReads,
  });
  if (result.state !== "ready") throw new Error(`the run is ${result.state}`);
  await store.close();
  const { services } = sketch;
  const bytes = statSync(join(home, "bootlevel.db")).size;
  return {
    writesPerService: writes / services,
    commitsPerService: work.commits / services,
    microsecondsPerWrite: (work.ms * 1000) / writes,
    shareOfTime: work.ms / wallMs,
    bytesPerService: bytes / services,
  };
}

/** The time of short commands on the record of a large run, relative to `node -e 0`. */
async function questions(): Promise<Figure[]> {
  const booted = await bootSketch({ services: SIZE, levels: 3, seed: "questions" });
  await booted.store.close();
  return [["list"], ["show", "bench"], ["status", "bench"]].map((words) =>
    figure(
      `bootlevel ${words[0] ?? ""} of ${SIZE} services, over node -e 0`,
      overNothing(words, booted.home, 3),
      words[0] === "list" ? { limit: 3, margin: 1.3 } : {},
    ),
  );
}

const [services, seed] = process.argv.slice(2);
if (services !== undefined) tell(await measure({ services: Number(services), levels: 3, seed: seed ?? "" }));
else {
  const measured: Measured[] = [];
  for (let time = 1; time <= TIMES; time += 1) measured.push(await ask<Measured>(import.meta.url, [SIZE, time]));
  const of = (key: keyof Measured) => measured.map((one) => one[key]);
  answer({
    title: `State: what the record of ${SIZE} services' boot costs`,
    figures: [
      figure("writes a service", of("writesPerService")),
      figure("commits a service, machines' times all different", of("commitsPerService")),
      figure("time a write", of("microsecondsPerWrite"), { unit: " µs" }),
      figure("the database's share of a simulated boot, whose programs cost nothing", of("shareOfTime"), {
        limit: 0.05,
        margin: 7,
      }),
      figure("bytes on disk a service", of("bytesPerService")),
      ...(await questions()),
    ],
  });
}
