/** Computes when machines of later levels must be launched to exist when their level is expected to begin. */
import { append } from "../run/lists.js";
import type { Forecast, Work } from "./forecast.js";

/** A service of a level that has not begun. */
export interface LaterWork extends Work {
  /** The cloud that can launch its machine early; null if the machine must wait or exists. */
  readonly cloud: string | null;
}

/** The current level. */
export interface CurrentLevel {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Work of its services that are not ready. */
  readonly works: readonly Work[];
}

/** What to launch now, and when to check again. */
export interface LaunchTime {
  /** Names in the plan of the services whose machines are due. */
  readonly due: readonly string[];
  /** When the next one is due as far as known now, in milliseconds since the epoch; null if unknown. */
  readonly next: number | null;
}

/**
 * Machines of a level that are due at nearly the same time are launched in one call: within this many milliseconds, or
 * this share of their launch time.
 */
const TOGETHER_MS = 5_000;
const TOGETHER_PART = 0.05;

/** When each later level is expected to begin, in milliseconds since the epoch; null without history. */
export function expectedBegins(
  forecast: Forecast,
  present: CurrentLevel,
  later: readonly (readonly Work[])[],
  now: number,
): (number | null)[] {
  let begin = after(now, forecast.remaining(present.works, now - present.startedAt));
  return later.map((works) => {
    const begins = begin;
    begin = after(begins, forecast.remaining(works, 0));
    return begins;
  });
}

/** Which machines of later levels must be launched at `now`. Without history, machines are launched one level ahead. */
export function launchTimeAt(
  forecast: Forecast,
  present: CurrentLevel,
  later: readonly (readonly LaterWork[])[],
  now: number,
): LaunchTime {
  const begins = expectedBegins(forecast, present, later, now);
  const due: string[] = [];
  let next = Infinity;
  for (const [index, works] of later.entries()) {
    for (const moments of dueTimesByCloud(forecast, works, begins[index] ?? null, index === 0).values()) {
      const comes = moments.some(({ at }) => at <= now);
      for (const { spec, at, slack } of moments) {
        if (comes && at <= now + slack) due.push(spec);
        else next = Math.min(next, at);
      }
    }
  }
  return { due, next: next === Infinity ? null : next };
}

/** When a service's machine is due, and how much earlier it may be launched. */
interface DueTime {
  readonly spec: string;
  readonly at: number;
  readonly slack: number;
}

function dueTimesByCloud(
  forecast: Forecast,
  works: readonly LaterWork[],
  begin: number | null,
  isNext: boolean,
): Map<string, DueTime[]> {
  const clouds = new Map<string, DueTime[]>();
  for (const { spec, cloud } of works) {
    if (cloud === null) continue;
    const lead = forecast.lead(spec);
    const at = begin === null || lead === null ? (isNext ? -Infinity : Infinity) : begin - lead;
    append(clouds, cloud, { spec, at, slack: Math.max(TOGETHER_MS, TOGETHER_PART * (lead ?? 0)) });
  }
  return clouds;
}

function after(moment: number | null, ms: number | null): number | null {
  return moment === null || ms === null ? null : moment + ms;
}
