import type { RunEvent } from "../model/events.js";
import type { Styles } from "./style.js";
import { formatDuration } from "./time.js";
import { taskLines } from "./tasks.js";
import { outputLines, stripControl } from "./terminalText.js";

/**
 * Lines that scroll by above the live frame and stay: the planned tasks, warnings, and program output with `verbose`.
 */
export function noteLine(event: RunEvent, options: { readonly verbose: boolean; readonly styles: Styles }): string[] {
  const { styles } = options;
  if (event.type === "warning")
    return [`${styles.yellow("! warning")} ${about(event.service)}${stripControl(event.message)}`];
  if (event.type === "connection-lost" || event.type === "connection-restored")
    return [`${styles.yellow("!")} ${connectionLine(event)}`];
  if (event.type === "agenda") return taskLines(event.tasks);
  if (event.type !== "output" || !options.verbose) return [];
  const origin = styles.dim(`${stripControl(event.service)} ${event.step} |`);
  return outputLines(event.text).map((line) => `${origin} ${line}`);
}

/** The most services named in a line. */
const MOST_NAMED = 5;

/** `lost the connection to admin@10.0.0.4:22 (Keepalive timeout): web-1 waits; connecting again`. */
export function connectionLine(
  event: Extract<RunEvent, { readonly type: "connection-lost" | "connection-restored" }>,
): string {
  const machine = stripControl(event.machine);
  if (event.type === "connection-restored") return `connected to ${machine} again after ${formatDuration(event.ms)}`;
  const { services } = event;
  const named = services.slice(0, MOST_NAMED).map(stripControl).join(", ");
  const more = services.length > MOST_NAMED ? ` and ${services.length - MOST_NAMED} more` : "";
  // A reason often begins with the machine's name.
  const reason = stripControl(event.reason).replace(`${machine}: `, "");
  return `lost the connection to ${machine} (${reason}), which runs programs of ${named}${more}: connecting again`;
}

/** `web-1: `, or nothing for the run as a whole. */
export function about(service: string | null): string {
  return service === null ? "" : `${stripControl(service)}: `;
}
