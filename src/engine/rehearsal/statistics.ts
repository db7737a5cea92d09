/** What many rehearsals say together. */

/** Why a rehearsal was not ready after a boot or a repair. */
export interface Cause {
  /** The service as the plan names it: replicas count together. */
  readonly service: string;
  readonly step: string;
  readonly message: string;
}

/** One boot or repair. */
export interface Attempt {
  readonly ready: boolean;
  /** Milliseconds from the start of the boot to the end of this attempt, in the rehearsal's own time. */
  readonly endMs: number;
  readonly causes: readonly Cause[];
}

/** One rehearsal: its boot, then its repairs; the last one is the end. */
export interface Rehearsal {
  readonly seed: string;
  readonly attempts: readonly Attempt[];
}

/** Milliseconds of the rehearsals that came up. */
export interface Spread {
  readonly p50: number;
  readonly p95: number;
}

export interface CauseCount extends Cause {
  /** In how many rehearsals the boot failed for it, and how many were not ready in the end for it. */
  readonly atBoot: number;
  readonly inTheEnd: number;
  /** The seed of the first rehearsal that met it. */
  readonly seed: string;
}

export interface Statistics {
  readonly runs: number;
  /** How many were ready after the boot, after at most one repair, after at most two, and so on. */
  readonly ready: readonly number[];
  /** Time until ready: of those that needed no repair, and of all that came up; null if none did. */
  readonly ms: { readonly boot: Spread | null; readonly end: Spread | null };
  /** Most frequent first. */
  readonly causes: readonly CauseCount[];
}

/** @param repairs how many repairs a rehearsal had at most. */
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

/** The nearest rank: a time that a rehearsal really took. */
export function spread(times: readonly number[]): Spread | null {
  if (times.length === 0) return null;
  const sorted = [...times].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] as number;
  return { p50: rank(0.5), p95: rank(0.95) };
}

/**
 * One sentence for all that failed alike: addresses and machine ids are left out, and a replica goes by its service's
 * name.
 * @param spec the service's name in the plan.
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
