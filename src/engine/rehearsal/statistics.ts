/** Statistics over many rehearsals. */

/** Why a rehearsal was not ready after a boot or a repair. */
export interface Cause {
  /** The service's name in the plan; replicas count together. */
  readonly service: string;
  readonly step: string;
  readonly message: string;
}

/** One boot or repair. */
export interface Attempt {
  readonly ready: boolean;
  /** Milliseconds from the start of the boot to the end of this attempt, in simulated time. */
  readonly endMs: number;
  readonly causes: readonly Cause[];
}

/** One rehearsal: its boot, then its repairs. The last attempt decides. */
export interface Rehearsal {
  readonly seed: string;
  readonly attempts: readonly Attempt[];
}

/** Milliseconds of the rehearsals that became ready. */
export interface Spread {
  readonly p50: number;
  readonly p95: number;
}

export interface CauseCount extends Cause {
  /** How many rehearsals failed at boot because of it, and how many in the end. */
  readonly atBoot: number;
  readonly inTheEnd: number;
  /** The seed of the first rehearsal with this cause. */
  readonly seed: string;
}

export interface Statistics {
  readonly runs: number;
  /** How many were ready after the boot, after at most one repair, after at most two, and so on. */
  readonly ready: readonly number[];
  /** Time until ready: of rehearsals without a repair, and of all that became ready; null if there are none. */
  readonly ms: { readonly boot: Spread | null; readonly end: Spread | null };
  /** Most frequent first. */
  readonly causes: readonly CauseCount[];
}

/** @param repairs the maximum number of repairs per rehearsal */
export function summarise(rehearsals: readonly Rehearsal[], repairs: number): Statistics {
  const readyAt = rehearsals.map(({ attempts }) => attempts.findIndex(({ ready }) => ready));
  const times = rehearsals.map(({ attempts }, index) => attempts[readyAt[index] ?? -1]?.endMs ?? null);
  return {
    runs: rehearsals.length,
    ready: Array.from({ length: repairs + 1 }, (_, most) => readyAt.filter((at) => at >= 0 && at <= most).length),
    ms: {
      boot: spread(times.filter((ms, index) => ms !== null && readyAt[index] === 0) as number[]),
      end: spread(times.filter((ms) => ms !== null)),
    },
    causes: countCauses(rehearsals),
  };
}

/** Nearest-rank percentiles: each is a duration that occurred. */
export function spread(times: readonly number[]): Spread | null {
  if (times.length === 0) return null;
  const sorted = [...times].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] as number;
  return { p50: rank(0.5), p95: rank(0.95) };
}

/**
 * Merges equal causes: replaces addresses and machine ids by placeholders, and a replica by its service.
 * @param spec the service's name in the plan
 */
export function commonCause({ service, step, message }: Cause, spec: string): Cause {
  const common = message
    .replaceAll(service, spec)
    .replace(/\b10(\.\d{1,3}){3}\b/g, "10.x.x.x")
    .replace(/\bi-[0-9a-f]{17}\b/g, "i-…");
  return { service: spec, step, message: common };
}

function countCauses(rehearsals: readonly Rehearsal[]): CauseCount[] {
  const counts = new Map<string, { -readonly [key in keyof CauseCount]: CauseCount[key] }>();
  const count = (causes: readonly Cause[], seed: string, moment: "atBoot" | "inTheEnd"): void => {
    const different = new Map(
      causes.map((cause) => [JSON.stringify([cause.service, cause.step, cause.message]), cause]),
    );
    for (const [key, { service, step, message }] of different) {
      const known = counts.get(key) ?? { service, step, message, atBoot: 0, inTheEnd: 0, seed };
      known[moment] += 1;
      counts.set(key, known);
    }
  };
  for (const { seed, attempts } of rehearsals) {
    count(attempts[0]?.causes ?? [], seed, "atBoot");
    count(attempts.at(-1)?.causes ?? [], seed, "inTheEnd");
  }
  return [...counts.values()].sort((a, b) => b.inTheEnd - a.inTheEnd || b.atBoot - a.atBoot);
}
