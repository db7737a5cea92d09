import { firstFitting, type Segment, type Styles } from "./style.js";
import { displayWidth } from "../text/columns.js";
import { formatDuration, formatElapsed } from "./time.js";
import type { ServiceState } from "../model/events.js";
import type { LevelView, RunView } from "./view.js";
import { countSegments, plural } from "./stateNames.js";

/** Context of the line of a level. */
export interface LevelLineContext {
  readonly columns: number;
  readonly now: number;
  /** The current spinner character. */
  readonly spinner: string;
  readonly styles: Styles;
  /** Width of the titles, to align what follows. */
  readonly titleWidth: number;
  /** Whether the run is over: a waiting level was then never started. */
  readonly over: boolean;
}

/** The width that aligns the titles of these levels, as far as the screen allows. */
export function widestTitle(levels: readonly LevelView[], columns: number): number {
  const widest = levels.reduce((width, level) => Math.max(width, displayWidth(title(level))), 0);
  return Math.min(widest, Math.floor(columns / 2));
}

/** One level as one line: `✔ level 1 storage   1 service   2.1s`. */
export function levelLine(level: LevelView, context: LevelLineContext): string {
  const services = level.services.length === 0 ? "empty" : plural(level.services.length, "service");
  const gap = " ".repeat(Math.max(0, context.titleWidth - displayWidth(title(level))));
  const icon = levelIcon(level, context);
  const after = detail(level, context);
  const full: Segment[] = [
    icon,
    ` ${title(level)}${gap}   `,
    [services.padEnd(12), "dim"],
    ...after.flatMap((part) => ["  ", ...part]),
  ];
  const narrow: Segment[] = [icon, ` ${level.number} ${level.name}`, ...after.flatMap((part) => ["  ", ...part])];
  return firstFitting([full, narrow], context.columns, context.styles);
}

function title(level: LevelView): string {
  return `level ${level.number} ${level.name}`;
}

/**
 * What follows the title: the duration of a finished level, the progress of a running one, the size of a waiting one.
 */
function detail(level: LevelView, context: LevelLineContext): Segment[][] {
  const counts = countSegments(level.counts);
  switch (level.status) {
    case "finished":
      return isWhole(level) ? [[formatDuration(level.ms)]] : [counts, [formatDuration(level.ms)]];
    case "running":
      return [counts, [formatElapsed(context.now - level.startedAt)]];
    case "waiting":
      if ((level.counts.get("planned") ?? 0) < level.services.length) return [counts];
      return context.over ? [[["not started", "dim"]]] : [];
  }
}

function levelIcon(level: LevelView, context: LevelLineContext): Segment {
  if (level.status === "waiting") return ["○", "dim"];
  if (failedCount(level) > 0 && (level.status === "finished" || context.over)) return ["✖", "red"];
  if (level.status !== "finished") return [context.spinner, "cyan"];
  return isWhole(level) ? ["✔", "green"] : ["■", "yellow"];
}

/**
 * Whether every service of a finished level is where it was to be: a level ends, too, when its services are interrupted.
 * What is still planned had no task in it.
 */
export function isWhole(level: LevelView): boolean {
  return level.interrupted === 0 && [...level.counts].every(([state, count]) => count === 0 || SETTLED.has(state));
}

const SETTLED: ReadonlySet<ServiceState> = new Set(["ready", "terminated", "planned"]);

export function failedCount(level: LevelView): number {
  return level.counts.get("failed") ?? 0;
}

/** Finished levels in at most `limit` lines; the earliest ones share a line if there are too many. */
export function finishedLines(levels: readonly LevelView[], limit: number, context: LevelLineContext): string[] {
  if (levels.length <= limit) return levels.map((level) => levelLine(level, context));
  if (limit < 1) return [];
  const shared = levels.slice(0, levels.length - limit + 1);
  const ms = shared.reduce((sum, level) => sum + level.ms, 0);
  const failed = shared.reduce((sum, level) => sum + failedCount(level), 0);
  const whole = shared.every(isWhole);
  const icon: Segment = failed > 0 ? ["✖", "red"] : whole ? ["✔", "green"] : ["■", "yellow"];
  const line: Segment[] = [
    icon,
    ` ${plural(shared.length, "level")}   `,
    [countServices(shared), "dim"],
    `   ${formatDuration(ms)}`,
  ];
  if (failed > 0) line.push("   ", [`${failed} failed`, "red"]);
  return [
    firstFitting([line], context.columns, context.styles),
    ...levels.slice(shared.length).map((level) => levelLine(level, context)),
  ];
}

/** Waiting levels in at most `limit` lines; the last ones share a line if there are too many. */
export function waitingLines(levels: readonly LevelView[], limit: number, context: LevelLineContext): string[] {
  if (levels.length <= limit) return levels.map((level) => levelLine(level, context));
  if (limit < 1) return [];
  const shared = levels.slice(limit - 1);
  const line: Segment[] = [["○", "dim"], ` ${plural(shared.length, "more level")}   `, [countServices(shared), "dim"]];
  return [
    ...levels.slice(0, limit - 1).map((level) => levelLine(level, context)),
    firstFitting([line], context.columns, context.styles),
  ];
}

function countServices(levels: readonly LevelView[]): string {
  return plural(
    levels.reduce((sum, level) => sum + level.services.length, 0),
    "service",
  );
}

/** Counts all services of a run by state. */
export function totalCounts(view: RunView): Map<LevelView["services"][number]["state"], number> {
  const total = new Map<LevelView["services"][number]["state"], number>();
  for (const level of view.levels)
    for (const [state, count] of level.counts) total.set(state, (total.get(state) ?? 0) + count);
  return total;
}
