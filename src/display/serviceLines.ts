import { paintLine, type Segment, type Styles } from "./style.js";
import { whatHappened } from "./failure.js";
import { truncate } from "./terminalText.js";
import { displayWidth } from "../text/columns.js";
import { formatElapsed } from "./time.js";
import type { LevelView, ServiceView } from "./view.js";
import { STATE_WORDS } from "./stateNames.js";

export interface ServiceLineContext {
  readonly columns: number;
  readonly now: number;
  readonly styles: Styles;
  /** Number of last lines shown below a failed service. */
  readonly lastLines: number;
}

/** Number of lines that all services would need. */
export function wantedLines(services: readonly ServiceView[], context: ServiceLineContext): number {
  return services.reduce((sum, service) => sum + 1 + lastLines(service, context.lastLines).length, 0);
}

/**
 * The services of a level in at most `room` lines. If all fit, they keep the order of the plan, so that nothing jumps.
 * Otherwise failed ones come first, then those that have been longest in their state.
 */
export function serviceLines(services: readonly ServiceView[], room: number, context: ServiceLineContext): string[] {
  if (room < 1) return [];
  if (services.length <= room) return rowsWithDetails(services, room - services.length, context);
  const ranked = mostUrgent(services, room);
  if (room === 1) return rowsWithDetails(ranked, 0, context);
  const wanted = ranked.reduce((sum, service) => sum + lastLines(service, context.lastLines).length, 0);
  const details = Math.min(wanted, Math.floor(room / 3));
  const shown = ranked.slice(0, room - 1 - details);
  const more: Segment = [`  … and ${services.length - shown.length} more`, "dim"];
  return [...rowsWithDetails(shown, details, context), paintLine([more], context.columns, context.styles)];
}

/** Failed, then running by time in state, then waiting, then done. */
function mostUrgent(services: readonly ServiceView[], count: number): ServiceView[] {
  const failed: ServiceView[] = [];
  const running: ServiceView[] = [];
  const waiting: ServiceView[] = [];
  const done: ServiceView[] = [];
  for (const service of services) bucket(service).push(service);
  running.sort((a, b) => a.since - b.since);
  return [...failed, ...running, ...waiting, ...done].slice(0, count);

  function bucket(service: ServiceView): ServiceView[] {
    switch (service.state) {
      case "failed":
        return failed;
      case "planned":
        return waiting;
      case "ready":
      case "terminated":
        return done;
      case "launching":
      case "connecting":
      case "booting":
      case "verifying":
      case "executing":
      case "terminating":
        return running;
    }
  }
}

/** One line per service; failed ones also show last lines while there is room. */
function rowsWithDetails(services: readonly ServiceView[], spare: number, context: ServiceLineContext): string[] {
  const nameWidth = Math.min(
    Math.max(...services.map((service) => displayWidth(service.name))),
    Math.floor(context.columns / 3),
  );
  const lines: string[] = [];
  let left = spare;
  for (const service of services) {
    lines.push(serviceLine(service, nameWidth, context));
    const details = lastLines(service, Math.min(left, context.lastLines));
    left -= details.length;
    for (const line of details)
      lines.push(paintLine(["      ", ["│ ", "red"], [line, "dim"]], context.columns, context.styles));
  }
  return lines;
}

function lastLines(service: ServiceView, count: number): readonly string[] {
  return count === 0 ? [] : (service.failure?.lastLines.slice(-count) ?? []);
}

/** `  web-1  booting      3s  npm install: added 23 packages` */
function serviceLine(service: ServiceView, nameWidth: number, context: ServiceLineContext): string {
  const name = truncate(service.name, nameWidth);
  const gap = " ".repeat(nameWidth - displayWidth(name));
  const [word, style] = STATE_WORDS[service.state];
  const segments: Segment[] = [`  ${name}${gap}  `, [word.padEnd(11), style], ...progress(service, context.now)];
  return paintLine(segments, context.columns, context.styles);
}

function progress(service: ServiceView, now: number): Segment[] {
  const time = `  ${formatElapsed(now - service.since).padStart(6)}`;
  switch (service.state) {
    case "failed":
      return service.failure === null ? [] : ["  ", `${service.failure.step}: ${whatHappened(service.failure)}`];
    case "launching":
      return [time];
    case "connecting":
      return [time, [service.step === "prepare" ? "  waits for cloud-init" : "", "dim"]];
    case "booting":
    case "verifying":
    case "executing":
    case "terminating":
      return [
        time,
        service.attempt > 1 ? `  ${service.step === "setup" ? "part" : "try"} ${service.attempt}` : "",
        "  ",
        [service.lastLine, "dim"],
      ];
    case "planned":
    case "ready":
    case "terminated":
      return [];
  }
}

/** The services of a level that a summary lists: those that did not succeed. */
export function troubled(level: LevelView): ServiceView[] {
  return level.services.filter(
    (service) => service.state !== "ready" && service.state !== "terminated" && service.state !== "planned",
  );
}
