/** When machines of later levels are to be asked for, so that they are there when their level is expected to begin. */
import { append } from "../run/lists.js";
import type { Forecast, Work } from "./forecast.js";

/** A service of a level that has not begun. */
export interface LaterWork extends Work {
  /** Where its machine may be asked for before its level; null when it has to wait, or has none. */
  readonly cloud: string | null;
}

/** The level under way. */
export interface Progress {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Of its services that are not ready. */
  readonly works: readonly Work[];
}

/** What is to be done now, and when to look again. */
export interface LaunchTime {
  /** Services, by their names in the plan, whose machines are to be asked for by now. */
  readonly due: readonly string[];
  /** When those of the next one are, as far as it is known now; null when no moment is known. */
  readonly next: number | null;
}

/**
 * Machines of a level that are wanted at nearly the same moment go out in one call: within so many milliseconds, or
 * such a part of their launch.
 */
const TOGETHER_MS = 5_000;
const TOGETHER_PART = 0.05;

/** When each later level is expected to begin, in milliseconds since the epoch; null when nothing says so. */
export function expectedBegins(
  forecast: Forecast,
  present: Progress,
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

/**
 * Which machines of later levels are to be asked for at `now`. What nothing is known of is asked for one level ahead.
 */
export function turnAt(
  forecast: Forecast,
  present: Progress,
  later: readonly (readonly LaterWork[])[],
  now: number,
): LaunchTime {
  const begins = expectedBegins(forecast, present, later, now);
  const due: string[] = [];
  let next = Infinity;
  for (const [index, works] of later.entries()) {
    for (const moments of momentsByCloud(forecast, works, begins[index] ?? null, index === 0).values()) {
      const comes = moments.some(({ at }) => at <= now);
      for (const { spec, at, slack } of moments) {
        if (comes && at <= now + slack) due.push(spec);
        else next = Math.min(next, at);
      }
    }
  }
  return { due, next: next === Infinity ? null : next };
}

/** When a service's machine is to be asked for, and how much sooner it may be. */
interface Moment {
  readonly spec: string;
  readonly at: number;
  readonly slack: number;
}

function momentsByCloud(
  forecast: Forecast,
  works: readonly LaterWork[],
  begin: number | null,
  isNext: boolean,
): Map<string, Moment[]> {
  const clouds = new Map<string, Moment[]>();
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
