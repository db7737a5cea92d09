/** Kills a command at points of its way and looks at what the next commands make of it. */
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "@jest/globals";

import { judgeDown, judgeFailed, judgeUp, scenarioOf, type Cast, type Scenario } from "./killScenarios.js";
import type { Report } from "./launcher.js";
import { Lane, type CloudKind } from "./lane.js";

export interface Killings {
  /** Names of the points of a whole command, in order. */
  readonly points: readonly string[];
  /** How many launchers have died. */
  readonly deaths: number;
  /** What was wrong after a death, with its place. */
  readonly wrong: readonly string[];
}

export interface KillOptions {
  readonly cloud: CloudKind;
  /** Lanes that work side by side. */
  readonly lanes?: number;
  /** Which points, by number from 1 and by name. Default: all. */
  readonly choose?: (point: number, name: string) => boolean;
}

/**
 * Every point is taken, unless BOOTLEVEL_KILL_EVERY says that every so many are enough, as for a second run on another
 * Node.
 */
const EVERY = Number(process.env["BOOTLEVEL_KILL_EVERY"] ?? 1);

/** Kills the scenario's command at each chosen point. */
export async function killEverywhere(
  scenario: Scenario,
  { cloud, lanes = 8, choose = () => true }: KillOptions,
): Promise<Killings> {
  return onLanes(scenario, cloud, lanes, async (workers) => {
    const { lane, cast } = workers[0] as Worker;
    const { points } = await lane.finish(cast.command);
    const queue = points.map((_, index) => index + 1).filter((point) => choose(point, points[point - 1] ?? ""));
    return {
      points,
      ...(await workThrough(
        workers,
        queue.map((point) => ({
          label: `${scenario.name}, point ${point} (${points[point - 1] ?? ""})`,
          point,
          afterMs: null,
        })),
      )),
    };
  });
}

/** Every so many points, or fewer if BOOTLEVEL_KILL_EVERY says so. */
export function everyPoint(most = 1): NonNullable<KillOptions["choose"]> {
  const every = process.env["BOOTLEVEL_KILL_EVERY"] === undefined ? most : EVERY;
  return (point) => (point + Math.floor(every / 2)) % every === 0;
}

/**
 * Kills the command of the scenario of that name at every point there is, or at those that are chosen, on the test
 * cloud.
 */
export async function expectNothingLost(name: string, choose: KillOptions["choose"] = everyPoint()): Promise<void> {
  const { points, deaths, wrong } = await killEverywhere(scenarioOf(name), {
    cloud: { driver: "test", options: "access: driver" },
    lanes: 8,
    choose,
  });
  expect(wrong).toEqual([]);
  const chosen = points.filter((point, index) => choose(index + 1, point)).length;
  // What runs side by side does not always come in the same number of pieces.
  expect(deaths).toBeGreaterThanOrEqual(chosen * 0.95);
  expect(chosen).toBeGreaterThan(10 / EVERY);
}

/** Kills the scenario's command from outside after each of these times, in milliseconds. */
export async function killAtMoments(
  scenario: Scenario,
  moments: (wholeMs: number) => readonly number[],
  { cloud, lanes = 8 }: KillOptions,
): Promise<Killings> {
  return onLanes(scenario, cloud, lanes, async (workers) => {
    const { lane, cast } = workers[0] as Worker;
    const startedAt = performance.now();
    const { points } = await lane.finish(cast.command);
    const chosen = moments(performance.now() - startedAt);
    return {
      points,
      ...(await workThrough(
        workers,
        chosen.map((afterMs, index) => ({ label: `${scenario.name}, after ${afterMs} ms`, point: index, afterMs })),
      )),
    };
  });
}

interface Worker {
  readonly lane: Lane;
  readonly cast: Cast;
}

interface Case {
  readonly label: string;
  readonly point: number;
  readonly afterMs: number | null;
}

async function onLanes<T>(
  scenario: Scenario,
  cloud: CloudKind,
  count: number,
  work: (workers: readonly Worker[]) => Promise<T>,
): Promise<T> {
  const lanes = Array.from({ length: count }, () => new Lane(cloud));
  try {
    const workers = await Promise.all(lanes.map(async (lane) => ({ lane, cast: await scenario.prepare(lane) })));
    for (const lane of lanes) lane.save();
    return await work(workers);
  } finally {
    for (const lane of lanes) await lane.close();
  }
}

async function workThrough(
  workers: readonly Worker[],
  cases: readonly Case[],
): Promise<Pick<Killings, "deaths" | "wrong">> {
  const queue = [...cases];
  const wrong: string[] = [];
  let deaths = 0;
  await Promise.all(
    workers.map(async (worker) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { label } = next;
        const end = await killOnce(worker, next);
        if (end.killed) deaths += 1;
        wrong.push(...end.wrong.map((words) => `${label}: ${words}`));
      }
    }),
  );
  return { deaths, wrong };
}

/**
 * A machine that was destroyed a moment ago cannot be told from one that its cloud does not show yet: there a terminate
 * is called again, as it says.
 */
async function terminate(lane: Lane): Promise<Report> {
  const report = await lane.finish({ verb: "terminate" });
  if (lane.visibilityMs === 0 || report.state !== "failed") return report;
  await sleep(lane.visibilityMs);
  return lane.finish({ verb: "terminate" });
}

async function killOnce(
  { lane, cast }: Worker,
  { point, afterMs }: Case,
): Promise<{ killed: boolean; wrong: string[] }> {
  lane.restore();
  const before = lane.created();
  const killed = (await lane.carryOut(cast.command, afterMs === null ? { point } : null, afterMs)).kind === "killed";
  const wrong: string[] = [];
  for (const { command, boots, unused } of cast.after(point)) {
    const report = await lane.finish(command);
    if (cast.command.verb === "boot" && afterMs !== null && report.record === null) return { killed, wrong }; // killed before the run was on record
    const judged = unused === undefined ? judgeUp(lane, report, boots) : judgeFailed(lane, report, unused);
    wrong.push(...judged.map((words) => `after ${command.verb}: ${words}`));
  }
  const down = await terminate(lane);
  if (afterMs === null || down.record !== null)
    wrong.push(...judgeDown(lane, down).map((words) => `after terminate: ${words}`));
  const created = (lane.created() ?? 0) - (before ?? 0);
  if (created > cast.creations) wrong.push(`${created} machines were made, ${cast.creations} are wanted`);
  return { killed, wrong };
}
