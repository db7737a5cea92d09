/** The results of rehearsals as text. */
import { formatTable, type TableOptions } from "./table.js";
import { formatDuration } from "./time.js";

/** Percentiles of a duration, in milliseconds. */
interface Spread {
  readonly p50: number;
  readonly p95: number;
}

/** See `RehearsalReport`. */
export interface ShownRehearsal {
  readonly plan: string;
  readonly seed: string;
  readonly runs: number;
  readonly ready: readonly number[];
  readonly ms: { readonly boot: Spread | null; readonly end: Spread | null };
  readonly causes: readonly {
    readonly service: string;
    readonly step: string;
    readonly message: string;
    readonly atBoot: number;
    readonly inTheEnd: number;
    readonly seed: string;
  }[];
}

/** Most causes listed, worst first; the others are counted. */
const SHOWN_CAUSES = 20;

/** @returns text without a line break at its end. */
export function formatRehearsal(
  { plan, seed, runs, ready, ms, causes }: ShownRehearsal,
  options: Pick<TableOptions, "columns" | "color">,
): string {
  const rows = ready.map((count, repairs) => [
    repairs === 0 ? "at boot" : repairs === 1 ? "after 1 repair" : `after ${repairs} repairs`,
    `${count} of ${runs}`,
    share(count, runs),
  ]);
  const parts = [
    `${plan}: ${runs} ${runs === 1 ? "rehearsal" : "rehearsals"}, seed ${seed}`,
    formatTable(["READY", "RUNS", "SHARE"], rows, { ...options, align: ["left", "right", "right"] }),
    formatTable(
      ["TIME UNTIL READY", "50% WITHIN", "95% WITHIN"],
      [
        ["at boot", ...times(ms.boot)],
        ["with repairs", ...times(ms.end)],
      ],
      { ...options, align: ["left", "right", "right"] },
    ),
  ];
  if (causes.length === 0) return [...parts, "Every boot succeeded."].join("\n\n");
  const shown = causes
    .slice(0, SHOWN_CAUSES)
    .map(({ service, step, message, atBoot, inTheEnd, seed: example }) => [
      service || "the run",
      step,
      String(atBoot),
      String(inTheEnd),
      example,
      message,
    ]);
  parts.push(
    formatTable(["NOT READY BECAUSE OF", "STEP", "AT BOOT", "IN THE END", "SEED", "WHY"], shown, {
      ...options,
      align: ["left", "left", "right", "right"],
    }),
  );
  if (causes.length > SHOWN_CAUSES) parts.push(`and ${causes.length - SHOWN_CAUSES} more causes (--json has them all)`);
  return parts.join("\n\n");
}

function share(count: number, runs: number): string {
  return runs === 0 ? "-" : `${Math.round((1000 * count) / runs) / 10}%`;
}

function times(spread: Spread | null): string[] {
  return spread === null ? ["-", "-"] : [formatDuration(spread.p50), formatDuration(spread.p95)];
}
