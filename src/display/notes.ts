import type { RunEvent } from "../model/events.js";
import type { Styles } from "./style.js";
import { taskLines } from "./tasks.js";
import { outputLines, stripControl } from "./terminalText.js";

/**
 * Lines that scroll by above the live frame and stay: the planned tasks, warnings, and program output with `verbose`.
 */
export function noteLine(event: RunEvent, options: { readonly verbose: boolean; readonly styles: Styles }): string[] {
  const { styles } = options;
  if (event.type === "warning")
    return [`${styles.yellow("! warning")} ${about(event.service)}${stripControl(event.message)}`];
  if (event.type === "agenda") return taskLines(event.tasks);
  if (event.type !== "output" || !options.verbose) return [];
  const origin = styles.dim(`${stripControl(event.service)} ${event.step} |`);
  return outputLines(event.text).map((line) => `${origin} ${line}`);
}

/** `web-1: `, or nothing for the run as a whole. */
export function about(service: string | null): string {
  return service === null ? "" : `${stripControl(service)}: `;
}
