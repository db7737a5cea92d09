/** Durations from earlier runs of a plan, read from their event logs. Forecasts use them. */
import type { PastRun, PastService, PlanIdentity } from "../contract/pastRuns.js";
import { statement, type Db } from "./database.js";

/** How many runs are returned, and how many are read. A failed run covers few levels, but more than none. */
const TOLD = 20;
const LOOKED_AT = 40;
/**
 * This many services are enough data, from however few runs: a plan of ten thousand services must not be read twenty
 * times before it boots.
 */
const SERVICES = 10_000;

/**
 * Runs of the plan: completed ones first, then the newest first. Runs from the plan's present file come before runs of
 * other files with the same plan name.
 */
export function readPastRuns(db: Db, { name, file }: PlanIdentity): PastRun[] {
  const ids = statement(db, "SELECT id FROM runs WHERE plan_name = ? ORDER BY plan_file = ? DESC, id DESC LIMIT ?")
    .pluck()
    .all(name, file, LOOKED_AT) as number[];
  const up: PastRun[] = [];
  const others: PastRun[] = [];
  let services = 0;
  for (const id of ids) {
    const run = readPastRun(db, id);
    services += run.services.length;
    if (run.services.length > 0) (run.cameUp ? up : others).push(run);
    if (up.length === TOLD || services >= SERVICES) break;
  }
  return [...up, ...others].slice(0, TOLD);
}

/** The times in the events of one service. */
interface Times {
  level: string;
  askedAt: number | null;
  thereAt: number | null;
  readyAt: number | null;
}

interface Row {
  readonly at: number;
  readonly type: string;
  readonly service: string | null;
  readonly level: string | null;
  readonly state: string | null;
}

/** Reads only the run's first command: later commands work on parts of the run. */
function readPastRun(db: Db, id: number): PastRun {
  const levels = new Map<string, number>();
  const services = new Map<string, Times>();
  let started = false;
  for (const row of story(db, id)) {
    if (row.type === "run-finished" || (row.type === "run-started" && started))
      return {
        cameUp: row.type === "run-finished" && row.state === "ready",
        services: timed(db, id, levels, services),
      };
    if (row.type === "run-started") started = true;
    else if (row.type === "level-started") levels.set(row.level ?? "", row.at);
    else if (row.service !== null) note(services, row.service, row);
  }
  return { cameUp: false, services: timed(db, id, levels, services) };
}

function story(db: Db, id: number): IterableIterator<Row> {
  const sql = `SELECT at, type, service, data ->> 'level' AS level, data ->> 'state' AS state FROM events
    WHERE run_id = ? AND type IN ('run-started', 'level-started', 'service-state', 'machine-launched', 'run-finished') ORDER BY id`;
  return statement(db, sql).iterate(id) as IterableIterator<Row>;
}

function note(services: Map<string, Times>, name: string, { at, type, level, state }: Row): void {
  const times = services.get(name) ?? { level: "", askedAt: null, thereAt: null, readyAt: null };
  services.set(name, times);
  if (type === "machine-launched") times.thereAt = at;
  else {
    times.level = level ?? "";
    if (state === "launching") times.askedAt = at;
    if (state === "ready") times.readyAt = at;
  }
}

function timed(
  db: Db,
  id: number,
  levels: ReadonlyMap<string, number>,
  services: ReadonlyMap<string, Times>,
): PastService[] {
  const rows = statement(db, "SELECT name, spec FROM services WHERE run_id = ?").all(id) as {
    name: string;
    spec: string;
  }[];
  return rows.flatMap(({ name, spec }) => {
    const times = services.get(name);
    if (times === undefined) return [];
    const { askedAt, thereAt, readyAt } = times;
    const begunAt = levels.get(times.level) ?? null;
    const launchMs = askedAt === null || thereAt === null ? null : thereAt - askedAt;
    const workMs = begunAt === null || readyAt === null ? null : readyAt - Math.max(begunAt, thereAt ?? begunAt);
    return launchMs === null && workMs === null ? [] : [{ spec, launchMs, workMs }];
  });
}
