/**
 * Forecasts how long machines and levels take, from earlier runs. It has no clock and no knowledge of the current run.
 */
import type { PastRun } from "../../state/contract/pastRuns.js";
import { append } from "../run/lists.js";

/** The work that a service still has to do in its level. */
export interface Work {
  /** Its name in the plan. The slowest replica counts. */
  readonly spec: string;
  /** Whether its machine is launched with its level; otherwise it exists by then. */
  readonly launches: boolean;
}

/** The share of a service's machines that should be ready in time. */
const IN_TIME_QUANTILE = 0.9;
/**
 * The quantile for a level's duration: one run in four is at least this quick. A quick level still has to find its
 * machines ready, and launches do not get faster with it.
 */
const QUICK_QUANTILE = 0.25;

/** The longest duration of a service's replicas in one run, in milliseconds: without and with the machine's launch. */
interface Longest {
  readonly work: number;
  readonly whole: number;
}

export class Forecast {
  private readonly launches = new Map<string, number[]>();
  private readonly likeLaunches = new Map<string, number[]>();
  private readonly runs: readonly ReadonlyMap<string, Longest>[];
  /** Typical durations by kind of machine, for services without history. */
  private readonly usual = new Map<string, Longest>();

  /**
   * @param past durations of earlier runs
   * @param kinds the kind of machine of each service in the plan; a new service is treated like others of its kind
   */
  constructor(
    past: readonly PastRun[],
    private readonly kinds: ReadonlyMap<string, string>,
  ) {
    for (const { spec, launchMs } of past.flatMap(({ services }) => services))
      if (launchMs !== null) this.learn(spec, launchMs);
    // Services that the plan no longer contains have no kind.
    this.likeLaunches.delete("");
    for (const launches of [...this.launches.values(), ...this.likeLaunches.values()]) launches.sort((a, b) => a - b);
    this.runs = past.map(longest);
    const times = new Map<string, Longest[]>();
    for (const [spec, time] of this.runs.flatMap((run) => [...run])) append(times, kinds.get(spec) ?? "", time);
    times.delete("");
    for (const [kind, like] of times)
      this.usual.set(kind, {
        work: median(like.map(({ work }) => work)),
        whole: median(like.map(({ whole }) => whole)),
      });
  }

  /** How long before it is needed a machine must be launched, in milliseconds; null without history. */
  lead(spec: string): number | null {
    const launches = this.launches.get(spec) ?? this.likeLaunches.get(this.kinds.get(spec) ?? "");
    return launches === undefined ? null : quantile(launches, IN_TIME_QUANTILE);
  }

  /**
   * How much longer a level takes, in milliseconds; null without history. Runs in which it had ended by now do not
   * count; if it had in all of them, it may end at any moment.
   * @param works work of the services that are not ready
   * @param elapsedMs time since the level began
   */
  remaining(works: readonly Work[], elapsedMs: number): number | null {
    if (works.length === 0) return 0;
    const known = this.runs.filter((run) => works.some(({ spec }) => run.has(spec)));
    // New services are treated like others of their kind.
    const samples = known.length > 0 ? known.map((run) => this.slowest(works, run)) : [this.slowest(works, new Map())];
    const open = samples.filter((ms) => ms > elapsedMs);
    if (samples.every((ms) => ms < 0)) return null;
    return open.length === 0 ? 0 : quantile(sorted(open), QUICK_QUANTILE) - elapsedMs;
  }

  /** The duration of the slowest service; negative without history. */
  private slowest(works: readonly Work[], run: ReadonlyMap<string, Longest>): number {
    let slowest = -1;
    for (const { spec, launches } of works) {
      const times = run.get(spec) ?? this.usual.get(this.kinds.get(spec) ?? "");
      if (times !== undefined) slowest = Math.max(slowest, launches ? times.whole : times.work);
    }
    return slowest;
  }

  private learn(spec: string, launchMs: number): void {
    append(this.launches, spec, launchMs);
    append(this.likeLaunches, this.kinds.get(spec) ?? "", launchMs);
  }
}

function longest({ services }: PastRun): Map<string, Longest> {
  const specs = new Map<string, Longest>();
  for (const { spec, launchMs, workMs } of services) {
    if (workMs === null) continue;
    const known = specs.get(spec) ?? { work: 0, whole: 0 };
    specs.set(spec, { work: Math.max(known.work, workMs), whole: Math.max(known.whole, workMs + (launchMs ?? 0)) });
  }
  return specs;
}

/** The smallest value that is at least as large as the given part of all values. */
function quantile(ascending: readonly number[], part: number): number {
  return ascending[Math.max(0, Math.ceil(part * ascending.length) - 1)] ?? 0;
}

function median(numbers: readonly number[]): number {
  return quantile(sorted(numbers), 0.5);
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}
