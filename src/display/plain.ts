import type { RunEvent, ServiceFailure } from "../model/events.js";
import { whatHappened } from "./failure.js";
import { about, connectionLine } from "./notes.js";
import type { Reporter, ReporterOptions } from "./reporterContract.js";
import { stripControl, wholeOutputLines } from "./terminalText.js";
import { formatDuration } from "./time.js";
import { taskLine } from "./tasks.js";
import { plural } from "./stateNames.js";

/** Writes one line per event, with its time, for a pipe, a cron mail or a CI log. Never coloured. */
export function createPlainReporter(options: Pick<ReporterOptions, "stream" | "verbose">): Reporter {
  let open = true;
  // The levels of the run: later events only name a level.
  const sizes = new Map<string, number>();
  return {
    onEvent(event) {
      if (!open) return;
      if (event.type === "run-started") for (const level of event.levels) sizes.set(level.name, level.services.length);
      const stamp = new Date(event.at).toISOString();
      const lines = plainLines(event, { verbose: options.verbose, sizes });
      if (lines.length > 0) options.stream.write(lines.map((line) => `${stamp} ${line}\n`).join(""));
    },
    close() {
      open = false;
    },
  };
}

export interface PlainOptions {
  readonly verbose: boolean;
  /** How many services each level has. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** An event as lines without time: one, several for a failure, none for what only `verbose` shows. */
export function plainLines(event: RunEvent, options: PlainOptions): string[] {
  return describe(event, options).map((line) => line.trimEnd());
}

function describe(event: RunEvent, { verbose, sizes }: PlainOptions): string[] {
  switch (event.type) {
    case "run-started": {
      const services = event.levels.reduce((sum, level) => sum + level.services.length, 0);
      return [
        `run ${stripControl(event.run)} ${event.verb} ${stripControl(event.plan)}: ` +
          `${plural(services, "service")} in ${plural(event.levels.length, "level")}`,
      ];
    }
    case "agenda":
      return event.tasks.map(taskLine);
    case "level-started":
      return [`${levelName(event)} started: ${plural(event.services ?? sizes.get(event.level) ?? 0, "service")}`];
    case "level-finished":
      return [
        `${levelName(event)} finished in ` +
          formatDuration(event.ms) +
          (event.failed > 0 ? `, ${event.failed} failed` : "") +
          ((event.interrupted ?? 0) > 0 ? `, ${event.interrupted ?? 0} interrupted` : ""),
      ];
    case "service-state":
      return [`${stripControl(event.service)} ${event.state}`];
    case "machine-launched":
      return [
        `${stripControl(event.service)} machine ${stripControl(event.id)} launched in ` +
          `${stripControl(event.cloud)}${event.host === null ? "" : `, host ${stripControl(event.host)}`}`,
      ];
    case "machine-terminated":
      return [
        event.givenBack === true
          ? `${stripControl(event.service)} host ${stripControl(event.id)} given back to ${stripControl(event.cloud)}`
          : `${stripControl(event.service)} machine ${stripControl(event.id)} terminated in ${stripControl(event.cloud)}`,
      ];
    case "step-started":
      return verbose
        ? [
            `${stripControl(event.service)} ${event.step} ` +
              `started${event.attempt > 1 ? `, ${event.step === "setup" ? "part" : "try"} ${event.attempt}` : ""}`,
          ]
        : [];
    case "step-finished":
      return verbose ? [stepFinished(event)] : [];
    case "output":
      return verbose
        ? wholeOutputLines(event.text).map((line) => `${stripControl(event.service)} ${event.step} | ${line}`)
        : [];
    case "said":
      return [`${stripControl(event.service)} says: ${stripControl(event.text)}`];
    case "output-set":
      return [outputSetLine(event)];
    case "connection-lost":
    case "connection-restored":
      return [connectionLine(event)];
    case "aborted":
      return [`aborted by ${stripControl(event.origin)}: ${stripControl(event.reason)}`];
    case "abort-cancelled":
      return [`no longer aborted (${stripControl(event.reason)})`];
    case "service-failed":
      return failureLines(event.failure);
    case "warning":
      return [`warning ${about(event.service)}${stripControl(event.message)}`];
    case "run-finished":
      return [`run ${stripControl(event.run)} ${event.state} after ${formatDuration(event.ms)}`];
  }
}

function levelName(event: { readonly level: string; readonly index: number }): string {
  return `level ${event.index + 1} ${stripControl(event.level)}`;
}

function stepFinished(event: Extract<RunEvent, { type: "step-finished" }>): string {
  const code = event.exitCode === null ? "" : `, exit code ${event.exitCode}`;
  return (
    `${stripControl(event.service)} ${event.step} ` +
    `${stripControl(event.outcome)} after ${formatDuration(event.ms)}${code}`
  );
}

/** A failure, with the service on each line so that `grep web-2` finds all of it. */
function failureLines(failure: ServiceFailure): string[] {
  const service = stripControl(failure.service);
  const where = failure.machine === null ? "" : ` on ${stripControl(failure.machine)}`;
  const lines = [`${service} failed in ${failure.step}${where}: ${whatHappened(failure)}`];
  for (const line of failure.lastLines.flatMap(wholeOutputLines)) lines.push(`${service} ${failure.step} | ${line}`);
  if (failure.log !== null) lines.push(`${service} log ${stripControl(failure.log)}`);
  if (failure.remedy !== "") lines.push(`${service} next ${stripControl(failure.remedy)}`);
  return lines;
}

/** `db set url = postgres://db/shop (12 values before it are not shown)`; the value only if it may be shown. */
function outputSetLine({ service, name, value, untold = 0 }: RunEvent & { readonly type: "output-set" }): string {
  const shown = value === undefined ? "" : ` = ${stripControl(value)}`;
  const before = untold === 0 ? "" : ` (and ${untold} ${untold === 1 ? "time" : "times"} before that are not shown)`;
  return `${stripControl(service)} set ${stripControl(name)}${shown}${before}`;
}
