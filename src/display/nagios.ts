/**
 * A status report as one line for Nagios and compatible monitors: `BOOTLEVEL OK - 2 of 2 services of shop ready | services=2;;;0
 * …`, by the Monitoring Plugins Development Guidelines. Pure: report in, line out.
 */
import { groupByCause } from "../model/failures.js";
import type { ServiceStatus, StatusReport, Trouble } from "../model/statusReport.js";
import { followerLines } from "./failure.js";
import { stripControl } from "./terminalText.js";
import { plural } from "./stateNames.js";

export type NagiosState = "OK" | "WARNING" | "CRITICAL" | "UNKNOWN";

/** The whole line with its performance data, in bytes: NRPE's older packets carry 1024. */
export const LONGEST_LINE = 1000;
/** Limits for the name of a service and for its cause, in bytes. */
const LONGEST_NAME = 80;
const LONGEST_REASON = 160;
/** Most services that are named; the others are counted. */
const MOST_NAMED = 5;

/**
 * How a service counts. `pending`: not up yet, or waiting for a repair. `unknown`: its cloud gave no answer.
 */
type Standing = "ready" | "failed" | "unknown" | "pending";
/** Most urgent first. */
const TROUBLED: readonly Standing[] = ["failed", "unknown", "pending"];

/**
 * The monitoring state of a report. While a launcher works on the run (except to terminate it), at most WARNING. Known
 * failures outweigh unknown services.
 */
export function nagiosState(report: StatusReport): NagiosState {
  if (report.healthy) return "OK";
  if (report.workedOnBy !== null && report.workedOnBy !== "terminate" && report.state !== "terminating")
    return "WARNING";
  if (report.state !== "ready" || report.abort !== null) return "CRITICAL";
  const standings = new Set(report.services.map(standing));
  if (standings.has("failed") || report.services.some(({ trouble }) => NOT_UP.has(trouble))) return "CRITICAL";
  return standings.has("unknown") ? "UNKNOWN" : "WARNING";
}

/** The line, without a line break. */
export function nagiosLine(report: StatusReport): string {
  const data = performanceData(report);
  const room = LONGEST_LINE - Buffer.byteLength(data) - " | ".length;
  return `${shorten(`BOOTLEVEL ${nagiosState(report)} - ${summary(report)}${named(report)}`, room)} | ${data}`;
}

/** The line for a check that failed. */
export function nagiosUnknown(reason: string): string {
  return shorten(`BOOTLEVEL UNKNOWN - ${harmless(reason) || "the check ended without a message"}`, LONGEST_LINE);
}

function standing({ healthy, trouble, state }: ServiceStatus): Standing {
  if (healthy) return "ready";
  if (trouble === "silent") return "unknown";
  return trouble === "repair-due" || (NOT_UP.has(trouble) && state !== "failed") ? "pending" : "failed";
}

/** A service of a ready run that is none of it. */
const NOT_UP: ReadonlySet<Trouble | null> = new Set<Trouble>(["not-up", "executing", "down"]);

function summary({ run: runName, state, workedOnBy, abort, services }: StatusReport): string {
  const run = shorten(harmless(runName), LONGEST_NAME);
  const ready = services.filter(({ healthy }) => healthy).length;
  if (abort !== null)
    return (
      `${run} was aborted by ${shorten(harmless(abort.origin), LONGEST_NAME)}: ` +
      `${shorten(harmless(abort.reason), LONGEST_REASON)}`
    );
  if (state === "ready")
    return (
      `${ready} of ${plural(services.length, "service")} of ${run} ` +
      `ready${workedOnBy === null ? "" : `, ${harmless(workedOnBy)} works on it`}`
    );
  return `${run} is ${state}, ${ready} of ${plural(services.length, "service")} ready`;
}

/**
 * `; web-3: why; web-4..web-6 failed because web-3 failed; and 12 more`: causes first. While a launcher works on the run,
 * pending services are left out.
 */
function named(report: StatusReport): string {
  const quiet = nagiosState(report) === "WARNING" && report.workedOnBy !== null;
  const chosen = TROUBLED.filter((one) => !(quiet && one === "pending")).flatMap((one) =>
    groupByCause(byTime(report.services.filter((service) => standing(service) === one))),
  );
  const parts = chosen.slice(0, MOST_NAMED).map((group) => {
    const { service, message, state } = group.root;
    const why = `${shorten(harmless(service), LONGEST_NAME)}: ${shorten(harmless(message) || state, LONGEST_REASON)}`;
    const lines = [why, ...followerLines(group).map((line) => shorten(harmless(line), LONGEST_REASON))];
    return { text: lines.map((line) => `; ${line}`).join(""), count: 1 + group.followers.length };
  });
  // Names are dropped before the count of the others is.
  while (parts.length > 1 && Buffer.byteLength(parts.map(({ text }) => text).join("")) > LONGEST_LINE / 2) parts.pop();
  const all = chosen.reduce((sum, { followers }) => sum + 1 + followers.length, 0);
  const others = all - parts.reduce((sum, { count }) => sum + count, 0);
  return parts.map(({ text }) => text).join("") + (others === 0 ? "" : `; and ${others} more`);
}

/** What failed first comes first; everything else stays in the plan's order. */
function byTime(services: readonly ServiceStatus[]): ServiceStatus[] {
  if (!services.some(({ cause }) => cause !== null)) return [...services];
  return [...services].sort((one, other) => one.since - other.since);
}

/**
 * `label=value[UOM];[warn];[crit];[min];[max]`: no thresholds, because no single number decides; no label needs
 * quotes.
 */
function performanceData({ services, ms }: StatusReport): string {
  const total = services.length;
  const count = (wanted: Standing) => services.filter((service) => standing(service) === wanted).length;
  const slowest = services.reduce<number | null>(
    (longest, service) => (service.ms === null ? longest : Math.max(longest ?? 0, service.ms)),
    null,
  );
  return [
    datum("services", String(total), "0"),
    ...(["ready", "failed", "pending", "unknown"] as const).map((one) =>
      datum(one, String(count(one)), "0", String(total)),
    ),
    datum("time", seconds(ms), "0"),
    ...(slowest === null ? [] : [datum("slowest_ready", seconds(slowest), "0")]),
  ].join(" ");
}

function datum(label: string, value: string, min: string, max?: string): string {
  return `${label}=${value};;;${min}${max === undefined ? "" : `;${max}`}`;
}

/** Never negative, even if the clock was set back. */
function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(3)}s`;
}

/** One line without `|`, which would start the performance data. */
export function harmless(text: string): string {
  return stripControl(text).replaceAll("|", "/").replace(/ {2,}/g, " ").trim();
}

/** Cuts to a number of bytes at a character boundary; `...` marks the cut. */
export function shorten(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let end = 0;
  let size = "...".length;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) break;
    end += character.length;
  }
  return `${text.slice(0, end).trimEnd()}...`;
}
