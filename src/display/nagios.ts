/**
 * A status report as one line for Nagios and its kin: `BOOTLEVEL OK - 2 of 2 services of shop ready | services=2;;;0
 * …`, by the Monitoring Plugins Development Guidelines. Pure: report in, line out.
 */
import type { ServiceStatus, StatusReport } from "../model/statusReport.js";
import { stripControl } from "./terminalText.js";
import { plural } from "./stateNames.js";

export type NagiosState = "OK" | "WARNING" | "CRITICAL" | "UNKNOWN";

/** The whole line with its performance data, in bytes: NRPE's older packets carry 1024. */
export const LONGEST_LINE = 1000;
/** Of one service's name, and of why it is not well, in bytes. */
const LONGEST_NAME = 80;
const LONGEST_REASON = 160;
/** How many services are named, the others are counted. */
const MOST_NAMED = 5;

/**
 * How a service counts: `pending` ones are not up yet or wait for a repair, of `unknown` ones nothing could be found
 * out.
 */
type Standing = "ready" | "failed" | "unknown" | "pending";
/** Those that a reader must know of come first. */
const TROUBLED: readonly Standing[] = ["failed", "unknown", "pending"];

/**
 * What a monitor should make of a report. A launcher that works on a run (other than to take it down) makes it a
 * warning at most; of what is known to be broken and what could not be found out, the former counts.
 */
export function nagiosState(report: StatusReport): NagiosState {
  if (report.healthy) return "OK";
  if (report.workedOnBy !== null && report.workedOnBy !== "terminate" && report.state !== "terminating")
    return "WARNING";
  if (report.state !== "ready" || report.abort !== null) return "CRITICAL";
  const standings = new Set(report.services.map(standing));
  if (standings.has("failed") || report.services.some(({ trouble }) => trouble === "not-up")) return "CRITICAL";
  return standings.has("unknown") ? "UNKNOWN" : "WARNING";
}

/** The line, without a line break. */
export function nagiosLine(report: StatusReport): string {
  const data = performanceData(report);
  const room = LONGEST_LINE - Buffer.byteLength(data) - " | ".length;
  return `${shorten(`BOOTLEVEL ${nagiosState(report)} - ${summary(report)}${named(report)}`, room)} | ${data}`;
}

/** The line for a check that could not be made. */
export function nagiosUnknown(reason: string): string {
  return shorten(`BOOTLEVEL UNKNOWN - ${harmless(reason) || "the check ended without a word"}`, LONGEST_LINE);
}

function standing({ healthy, trouble, state }: ServiceStatus): Standing {
  if (healthy) return "ready";
  if (trouble === "silent") return "unknown";
  if (trouble === "repair-due" || (trouble === "not-up" && state !== "failed")) return "pending";
  return "failed";
}

function summary({ run: runName, state, workedOnBy, abort, services }: StatusReport): string {
  const run = shorten(harmless(runName), LONGEST_NAME);
  const ready = services.filter(({ healthy }) => healthy).length;
  if (abort !== null)
    return `${run} was aborted by ${shorten(harmless(abort.origin), LONGEST_NAME)}: ${shorten(harmless(abort.reason), LONGEST_REASON)}`;
  if (state === "ready")
    return `${ready} of ${plural(services.length, "service")} of ${run} ready${workedOnBy === null ? "" : `, ${harmless(workedOnBy)} works on it`}`;
  return `${run} is ${state}, ${ready} of ${plural(services.length, "service")} ready`;
}

/** `; web-3: why; web-7: why; and 12 more`. While a launcher works, only what has failed is worth a word. */
function named(report: StatusReport): string {
  const quiet = nagiosState(report) === "WARNING" && report.workedOnBy !== null;
  const chosen = TROUBLED.filter((one) => !(quiet && one === "pending")).flatMap((one) =>
    report.services.filter((service) => standing(service) === one),
  );
  const told = chosen
    .slice(0, MOST_NAMED)
    .map(
      ({ service, message, state }) =>
        `; ${shorten(harmless(service), LONGEST_NAME)}: ${shorten(harmless(message) || state, LONGEST_REASON)}`,
    );
  // The number of the others must survive when the line is too long for all of these.
  while (told.length > 1 && Buffer.byteLength(told.join("")) > LONGEST_LINE / 2) told.pop();
  const others = chosen.length - told.length;
  return told.join("") + (others === 0 ? "" : `; and ${others} more`);
}

/**
 * `label=value[UOM];[warn];[crit];[min];[max]`: no thresholds, since no number alone decides; no label needs quotes.
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

/** Never negative: a clock may be set back meanwhile. */
function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(3)}s`;
}

/** One line without `|`, which would begin performance data. */
export function harmless(text: string): string {
  return stripControl(text).replaceAll("|", "/").replace(/ {2,}/g, " ").trim();
}

/** At most so many bytes, whole characters; `...` stands for what was cut off. */
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
