/** Chooses the rows of the chart, since nobody reads a thousand. */
import type { LevelTiming, SectionAnalysis, ServiceTiming } from "../../model/analysis.js";
import { plural } from "../stateNames.js";

const MOST_SERVICES = 150;
const MOST_LEVELS = 60;

export interface LevelRows {
  readonly level: LevelTiming;
  /** Services with their own row, in the order of the plan. */
  readonly shown: readonly ServiceTiming[];
  /** Services that share one row below. */
  readonly folded: readonly ServiceTiming[];
}

export interface Rows {
  readonly levels: readonly LevelRows[];
  /** A sentence about what is left out, or null. */
  readonly note: string | null;
}

/**
 * Gives every service a row while there is room. Otherwise the last to finish, failed ones and late ones get a row.
 */
export function chooseRows({ levels }: SectionAnalysis): Rows {
  const kept = longest(levels);
  const limit = fairShare(kept.map((level) => level.services.length));
  const rows = kept.map((level) => levelRows(level, limit));
  const folded = rows.reduce((sum, level) => sum + level.folded.length, 0);
  const notes = [
    ...(kept.length < levels.length ? [`the ${kept.length} longest of ${levels.length} levels`] : []),
    ...(folded > 0
      ? [
          "in each level the failed services and those that finished last, " +
            `${plural(folded, "other")} together in one row per level`,
        ]
      : []),
  ];
  return { levels: rows, note: notes.length === 0 ? null : `Shown: ${notes.join("; ")}.` };
}

function longest(levels: readonly LevelTiming[]): readonly LevelTiming[] {
  const took = (level: LevelTiming) => level.endMs - level.startMs;
  const kept = new Set([...levels].sort((a, b) => took(b) - took(a)).slice(0, MOST_LEVELS));
  return levels.filter((level) => kept.has(level));
}

/** The row limit per level so that all levels fit; small levels leave room to others. */
function fairShare(sizes: readonly number[]): number {
  let room = MOST_SERVICES;
  let left = sizes.length;
  for (const size of [...sizes].sort((a, b) => a - b)) {
    if (size > room / left) return Math.max(1, Math.floor(room / left));
    room -= size;
    left -= 1;
  }
  return Infinity;
}

function levelRows(level: LevelTiming, limit: number): LevelRows {
  const rank = (service: ServiceTiming) => (service.name === level.last ? 2 : service.state === "failed" ? 1 : 0);
  const urgent = [...level.services].sort((a, b) => rank(b) - rank(a) || b.endMs - a.endMs);
  const own = new Set(urgent.slice(0, limit));
  return {
    level,
    shown: level.services.filter((service) => own.has(service)),
    folded: level.services.filter((service) => !own.has(service)),
  };
}
