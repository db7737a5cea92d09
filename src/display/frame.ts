import type { RunState } from "../model/events.js";
import {
  finishedLines,
  isWhole,
  levelLine,
  totalCounts,
  waitingLines,
  widestTitle,
  type LevelLineContext,
} from "./levelLines.js";
import { serviceLines, troubled, wantedLines, type ServiceLineContext } from "./serviceLines.js";
import { createStyles, firstFitting, type Segment, type StyleName } from "./style.js";
import { formatDuration, formatElapsed } from "./time.js";
import type { LevelView, RunView, ServiceView } from "./view.js";
import { countSegments, plural } from "./stateNames.js";

export interface FrameOptions {
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly color: boolean;
}

const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
/** Duration of one frame of the spinner, in milliseconds. */
export const FRAME_MS = 100;
/** Services that stay visible on a low screen before other levels are dropped. */
const FEW_SERVICES = 3;
/** Last lines shown for a failed service while others run; `formatFailures` prints more at the end. */
const LAST_LINES = 3;

/**
 * Draws a run: its name, its levels in order and the services of the running level. Never wider than `columns`, and
 * always lower than `rows`: a line that has scrolled away cannot be redrawn. Pure. Lines are joined by "\n", without a
 * final one.
 */
export function renderFrame(view: RunView, options: FrameOptions): string {
  const columns = Math.max(1, options.columns);
  const height = Math.max(1, options.rows - 1);
  const context = lineContext(view, options, columns);
  const levels = view.verb === "terminate" ? view.levels.toReversed() : view.levels;
  const { before, open, after } = partition(levels, context.over);
  const listed = open.map((level) => listedServices(level, context.over));
  const wanted = {
    before: before.length,
    services: listed.reduce((sum, services) => sum + wantedLines(services, context), 0),
    after: after.length,
  };
  const room = share(wanted, height - 1 - open.length);
  let servicesRoom = room.services;
  const lines = [headLine(view, options.now, context), ...finishedLines(before, room.before, context)];
  for (const [index, level] of open.entries()) {
    const rows = serviceLines(listed[index] ?? [], servicesRoom, context);
    servicesRoom -= rows.length;
    lines.push(levelLine(level, context), ...rows);
  }
  lines.push(...waitingLines(after, room.after, context));
  return lines.slice(0, height).join("\n");
}

function lineContext(view: RunView, options: FrameOptions, columns: number): LevelLineContext & ServiceLineContext {
  const over = view.finished !== null;
  const spinner = over ? "■" : (SPINNER[Math.floor(options.now / FRAME_MS) % SPINNER.length] ?? "");
  const titleWidth = widestTitle(view.levels, columns);
  return {
    columns,
    now: options.now,
    spinner,
    styles: createStyles(options.color),
    titleWidth,
    over,
    lastLines: over ? 0 : LAST_LINES,
  };
}

/**
 * Splits levels into finished ones, those whose services are listed (and all between them), and waiting ones.
 */
function partition(
  levels: readonly LevelView[],
  over: boolean,
): { before: LevelView[]; open: LevelView[]; after: LevelView[] } {
  const isDone = (level: LevelView) => level.status === "finished" && !(over && !isWhole(level));
  const firstOpen = levels.findIndex((level) => !isDone(level));
  const start = firstOpen === -1 ? levels.length : firstOpen;
  const end = Math.max(start, levels.findLastIndex((level) => level.status !== "waiting") + 1);
  return { before: levels.slice(0, start), open: levels.slice(start, end), after: levels.slice(end) };
}

function listedServices(level: LevelView, over: boolean): ServiceView[] {
  if (over) return troubled(level);
  return level.status === "running" ? level.services : [];
}

interface Shares {
  before: number;
  services: number;
  after: number;
}

/**
 * Divides the lines of a low screen. First other levels are folded, then services are left out, then other levels are
 * dropped.
 */
function share(wanted: Shares, lines: number): Shares {
  const shares = { ...wanted };
  const cuts: [keyof Shares, number][] = [
    ["after", 1],
    ["before", 1],
    ["services", FEW_SERVICES],
    ["after", 0],
    ["before", 0],
    ["services", 0],
  ];
  for (const [part, least] of cuts) {
    const excess = shares.before + shares.services + shares.after - lines;
    if (excess > 0) shares[part] = Math.min(shares[part], Math.max(least, shares[part] - excess));
  }
  return shares;
}

function headLine(view: RunView, now: number, context: LevelLineContext): string {
  const { finished } = view;
  if (finished !== null) return endLine(view, finished, context);
  const run: Segment = [view.run, "bold"];
  const time = formatElapsed(now - view.startedAt);
  const full: Segment[] = [run, [`   ${view.verb} ${view.plan}`, "dim"], `   ${time}`];
  return firstFitting([full, [run, `   ${time}`]], context.columns, context.styles);
}

/** `✔ web-shop-k3f9 ready   5 services in 3 levels   12.4s` */
function endLine(
  view: RunView,
  finished: { readonly state: RunState; readonly ms: number },
  context: LevelLineContext,
): string {
  const [icon, style] = END_ICONS[finished.state];
  const head: Segment[] = [[icon, style], " ", [view.run, "bold"], " ", [finished.state, style]];
  const good = style === "green";
  const counts = countSegments(totalCounts(view));
  const size = `${plural(view.services.size, "service")} in ${plural(view.levels.length, "level")}`;
  const result: Segment[] = good || counts.length === 0 ? [size] : counts;
  const tail: Segment[] = [`   ${formatDuration(finished.ms)}`];
  if (view.warnings > 0) tail.push("   ", [plural(view.warnings, "warning"), "yellow"]);
  return firstFitting(
    [[...head, "   ", ...result, ...tail], [...head, ...tail], head],
    context.columns,
    context.styles,
  );
}

const END_ICONS: Readonly<Record<RunState, readonly [icon: string, style: StyleName]>> = {
  ready: ["✔", "green"],
  terminated: ["✔", "green"],
  failed: ["✖", "red"],
  interrupted: ["■", "yellow"],
  booting: ["■", "yellow"],
  terminating: ["■", "yellow"],
  repairing: ["■", "yellow"],
  reloading: ["■", "yellow"],
};
