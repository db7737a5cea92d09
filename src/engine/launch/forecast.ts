/**
 * How long machines and levels will take, from how long they took in earlier runs. Knows nothing of clocks, and nothing
 * of the run under way but what it is asked.
 */
import type { PastRun } from "../../state/contract/pastRuns.js";
import { append } from "../run/lists.js";

/** What a service has still to do when its level begins, or since. */
export interface Work {
  /** Its name in the plan: of replicas the slowest one counts. */
  readonly spec: string;
  /** Whether its machine is asked for with its level; otherwise it is there by then. */
  readonly launches: boolean;
}

/** So many of a service's machines are to be there in time, of all that were ever seen. */
const IN_TIME = 0.9;
/**
 * A level may be done sooner than it usually is, and machines take no notice: one run in four may be as quick as this.
 */
const QUICK = 0.25;

/**
 * The longest that a replica of a service took in one run, in milliseconds: without its machine's launch, and with it.
 */
interface Longest {
  readonly work: number;
  readonly whole: number;
}

export class Forecast {
  private readonly launches = new Map<string, number[]>();
  private readonly likeLaunches = new Map<string, number[]>();
  private readonly runs: readonly ReadonlyMap<string, Longest>[];
  /** What services of a kind usually take, for those that no run has seen. */
  private readonly usual = new Map<string, Longest>();

  /**
   * @param past what earlier runs took.
   * @param kinds of each service of the plan, what its machine is like: a service that is new is taken for one of its
   *   kind.
   */
  constructor(
    past: readonly PastRun[],
    private readonly kinds: ReadonlyMap<string, string>,
  ) {
    for (const { spec, launchMs } of past.flatMap(({ services }) => services))
      if (launchMs !== null) this.learn(spec, launchMs);
    // What the plan has no more says nothing of what is new.
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

  /**
   * How long before it is needed a machine of the service is to be asked for, in milliseconds; null when nothing says
   * so.
   */
  lead(spec: string): number | null {
    const launches = this.launches.get(spec) ?? this.likeLaunches.get(this.kinds.get(spec) ?? "");
    return launches === undefined ? null : quantile(launches, IN_TIME);
  }

  /**
   * How much longer a level goes on, in milliseconds; null when nothing says so. Runs in which it was done by now say
   * nothing any more; if it was in all of them, it may be done at any moment.
   * @param works of its services that are not ready.
   * @param elapsedMs since it began.
   */
  remaining(works: readonly Work[], elapsedMs: number): number | null {
    if (works.length === 0) return 0;
    const known = this.runs.filter((run) => works.some(({ spec }) => run.has(spec)));
    // Services that are all new are taken for others of their kind.
    const samples = known.length > 0 ? known.map((run) => this.slowest(works, run)) : [this.slowest(works, new Map())];
    const open = samples.filter((ms) => ms > elapsedMs);
    if (samples.every((ms) => ms < 0)) return null;
    return open.length === 0 ? 0 : quantile(sorted(open), QUICK) - elapsedMs;
  }

  /** How long the slowest takes; less than nothing when nothing says so of any. */
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

/** The smallest number that so large a part of all is not above. */
function quantile(ascending: readonly number[], part: number): number {
  return ascending[Math.max(0, Math.ceil(part * ascending.length) - 1)] ?? 0;
}

function median(numbers: readonly number[]): number {
  return quantile(sorted(numbers), 0.5);
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}
