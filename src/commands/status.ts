import type { Argv } from "yargs";

import { type StatusReport } from "../library/index.js";
import type * as Failure from "../display/failure.js";
import { LONGEST_TIMER_MS } from "../time/clock.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, GaveUpError, MONITOR_EXIT, UsageError } from "./exitCodes.js";
import { print, printError, printJson, screen } from "./output.js";
import { writeWholeFile } from "./wholeFile.js";
import { parseDurationText } from "../library/plans.js";
import { status } from "../library/runs.js";

interface StatusArguments {
  readonly run: string;
  readonly nagios: boolean;
  readonly prometheus?: string;
  readonly timeout?: string;
  readonly json: boolean;
}

/** World-readable: the metrics collector runs as another user. */
const METRICS_MODE = 0o644;

export const command = "status <run>";
export const describe = "Check the health of a run: its machines and ready programs";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .option("nagios", {
      type: "boolean",
      default: false,
      describe: "Print one line and use the exit codes of a monitoring plugin",
    })
    .option("prometheus", {
      type: "string",
      requiresArg: true,
      describe: "Also write metrics to this file, for node_exporter",
    })
    .option("timeout", { type: "string", requiresArg: true, describe: "Give up after this time, such as 50s" })
    .example("$0 status shop", "Exit code 0 if every service is healthy, 1 if not")
    .example("$0 status shop --json", "Print one JSON document")
    .example("$0 status shop --nagios --timeout 50s", "For Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN")
    .example("$0 status shop --prometheus /var/lib/node_exporter/textfile/shop.prom", "For Prometheus");
}

export async function handler(options: StatusArguments): Promise<number> {
  if (options.nagios && options.json) throw new UsageError("--nagios and --json exclude each other: choose one");
  const report = await check(options, await readLimit(options.timeout));
  if (options.nagios) return printNagios(report);
  if (options.json) printJson("status", report);
  else await printReport(report);
  if (report.cloudUnreachable) return EXIT.unreachable;
  return report.healthy ? EXIT.fine : EXIT.notFine;
}

async function readLimit(timeout: string | undefined): Promise<number | null> {
  if (timeout === undefined) return null;
  const limitMs = await parseDurationText(timeout);
  if (limitMs > 0 && limitMs <= LONGEST_TIMER_MS) return limitMs;
  throw new UsageError(`--timeout ${timeout} is not a valid duration: write for example 50s or 5m, at most 24d`);
}

/** Checks the run and writes the metrics, also for a failed check: old metrics must not look current. */
async function check(
  { run, prometheus: file, timeout = "", nagios }: StatusArguments,
  limitMs: number | null,
): Promise<StatusReport> {
  const startedAt = Date.now();
  let report: StatusReport;
  try {
    report = await within(limitMs, timeout, status(run, ENVIRONMENT));
  } catch (error) {
    if (file !== undefined) await writeFailure(file, run, startedAt, nagios);
    throw error;
  }
  if (file !== undefined)
    await writeWholeFile(file, (await import("../display/prometheus.js")).prometheusText(report), METRICS_MODE);
  return report;
}

/** @throws GaveUpError if the time runs out first */
async function within<T>(limitMs: number | null, limit: string, work: Promise<T>): Promise<T> {
  if (limitMs === null) return work;
  const { default: pTimeout } = await import("p-timeout");
  return pTimeout(work, {
    milliseconds: limitMs,
    message: new GaveUpError(`the check did not finish within ${limit}`),
  });
}

/**
 * Records a failed check. An error in writing the file is only printed, so that the check's own error is reported; with
 * `--nagios` that error is the one line.
 */
async function writeFailure(file: string, run: string, startedAt: number, nagios: boolean): Promise<void> {
  try {
    await writeWholeFile(
      file,
      (await import("../display/prometheus.js")).prometheusFailure(run, startedAt),
      METRICS_MODE,
    );
  } catch (error) {
    if (!nagios) printError(`bootlevel: ${(error as Error).message}`);
  }
}

async function printNagios(report: StatusReport): Promise<number> {
  const { nagiosLine, nagiosState } = await import("../display/nagios.js");
  print(nagiosLine(report));
  return MONITOR_EXIT[nagiosState(report)];
}

async function printReport(report: StatusReport): Promise<void> {
  const [{ formatTable }, { formatAge, formatDuration }, { whatHappened }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
    import("../display/failure.js"),
  ]);
  const rows = report.services.map((service) => [
    service.level,
    service.service,
    nowText(service),
    formatAge(service.ageMs),
    service.machine,
    service.host ?? "",
    service.ms === null ? "" : formatDuration(service.ms),
    whyText(service, whatHappened),
  ]);
  print(formatTable(["LEVEL", "SERVICE", "NOW", "AGE", "MACHINE", "HOST", "TOOK", "WHY"], rows, screen()));
  const { outputLines } = await import("../display/terminalText.js");
  const printing = report.services.filter((one) => one.lastLines.length > 0);
  // What a service printed that only suffered from another one tells less.
  const causes = printing.filter(({ cause }) => cause === null);
  for (const service of (causes.length > 0 ? causes : printing).slice(0, 3)) {
    print(
      `\nLast output of ${service.service}:\n${service.lastLines
        .slice(-10)
        .flatMap(outputLines)
        .map((line) => `  ${line}`)
        .join("\n")}`,
    );
  }
  if (report.abort !== null) print(`\nAborted by ${report.abort.origin}: ${report.abort.reason}`);
  const healthy = report.services.filter((service) => service.healthy).length;
  const verdict = report.healthy ? "Healthy" : report.state === "ready" ? "Unhealthy" : `The run is ${report.state}`;
  print(
    `\n${verdict}: ${healthy} of ${report.services.length} services ready, checked in ${formatDuration(report.ms)}.`,
  );
}

/** `✔ ready`, `✖ unhealthy`, `✖ failed`; `… booting` and `○ waiting` for what is neither up nor failed. */
function nowText({ healthy, trouble, state }: StatusReport["services"][number]): string {
  if (healthy) return "✔ ready";
  if (trouble === "not-up" || trouble === "executing" || trouble === "down") {
    if (state === "planned") return "○ waiting";
    return state === "terminated" ? "○ terminated" : `… ${state}`;
  }
  return trouble === "failed" ? "✖ failed" : "✖ unhealthy";
}

/** The cause found by the check, and the last status text of the service's programs. */
function whyText(service: StatusReport["services"][number], whatHappened: (typeof Failure)["whatHappened"]): string {
  const saying = service.said === null ? "" : `says: ${service.said}`;
  return [whatHappened(service), saying].filter((text) => text !== "").join("; ");
}
