import type { Argv } from "yargs";

import { type StatusReport } from "../library/index.js";
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

/** The collector that reads the metrics runs as another user. */
const METRICS_MODE = 0o644;

export const command = "status <run>";
export const describe = "Look at a run's machines and run its ready programs again";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .option("nagios", {
      type: "boolean",
      default: false,
      describe: "one line and the exit codes of a monitoring plugin",
    })
    .option("prometheus", {
      type: "string",
      requiresArg: true,
      describe: "also write metrics into this file, for node_exporter",
    })
    .option("timeout", { type: "string", requiresArg: true, describe: "give up after so long: 50s" })
    .example("$0 status shop", "how the run shop is now; exit code 0 when all is well, 1 when not")
    .example("$0 status shop --json", "the same as one document")
    .example("$0 status shop --nagios --timeout 50s", "for a monitor: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN")
    .example("$0 status shop --prometheus /var/lib/node_exporter/textfile/shop.prom", "for Prometheus");
}

export async function handler(options: StatusArguments): Promise<number> {
  if (options.nagios && options.json) throw new UsageError("--nagios and --json: choose one of them");
  for (const name of ["prometheus", "timeout"] as const) {
    if (options[name] !== undefined && (typeof options[name] !== "string" || options[name] === ""))
      throw new UsageError(`--${name} takes one value`); // given twice, it is a list
  }
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
  throw new UsageError(`--timeout ${timeout}: write a duration such as 50s or 5m, 24 days at most`);
}

/** Checks the run and keeps the metrics, also of a check that could not be made: older ones must not pass for fresh. */
async function check(
  { run, prometheus: file, timeout = "" }: StatusArguments,
  limitMs: number | null,
): Promise<StatusReport> {
  const startedAt = Date.now();
  let report: StatusReport;
  try {
    report = await within(limitMs, timeout, status(run, ENVIRONMENT));
  } catch (error) {
    if (file !== undefined) await writeFailure(file, run, startedAt);
    throw error;
  }
  if (file !== undefined)
    await writeWholeFile(file, (await import("../display/prometheus.js")).prometheusText(report), METRICS_MODE);
  return report;
}

/** @throws GaveUpError when the time is over first */
async function within<T>(limitMs: number | null, words: string, work: Promise<T>): Promise<T> {
  if (limitMs === null) return work;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new GaveUpError(`the check was not done after ${words}`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Why there was no check is what the operator must read: that the file could not be written either is only told beside
 * it.
 */
async function writeFailure(file: string, run: string, startedAt: number): Promise<void> {
  try {
    await writeWholeFile(
      file,
      (await import("../display/prometheus.js")).prometheusFailure(run, startedAt),
      METRICS_MODE,
    );
  } catch (error) {
    printError(`bootlevel: ${(error as Error).message}`);
  }
}

async function printNagios(report: StatusReport): Promise<number> {
  const { nagiosLine, nagiosState } = await import("../display/nagios.js");
  print(nagiosLine(report));
  return MONITOR_EXIT[nagiosState(report)];
}

async function printReport(report: StatusReport): Promise<void> {
  const [{ formatTable }, { formatAge, formatDuration }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
  ]);
  const rows = report.services.map((service) => [
    service.level,
    service.service,
    service.healthy ? "✔ ready" : "✖ not well",
    formatAge(service.ageMs),
    service.machine,
    service.host ?? "",
    service.ms === null ? "" : formatDuration(service.ms),
    whyWords(service),
  ]);
  print(formatTable(["LEVEL", "SERVICE", "NOW", "AGE", "MACHINE", "HOST", "TOOK", "WHY"], rows, screen()));
  const { outputLines } = await import("../display/terminalText.js");
  for (const service of report.services.filter((one) => one.lastLines.length > 0).slice(0, 3)) {
    print(
      `\n${service.service} said:\n${service.lastLines
        .slice(-10)
        .flatMap(outputLines)
        .map((line) => `  ${line}`)
        .join("\n")}`,
    );
  }
  if (report.abort !== null) print(`\nAborted by ${report.abort.origin}: ${report.abort.reason}`);
  const well = report.services.filter((service) => service.healthy).length;
  const verdict = report.healthy
    ? "All is well"
    : report.state === "ready"
      ? "Not all is well"
      : `The run is ${report.state}`;
  print(`\n${verdict}: ${well} of ${report.services.length} services ready, checked in ${formatDuration(report.ms)}.`);
}

/** What was found, and what the service's programs said last. */
function whyWords({ message, said }: StatusReport["services"][number]): string {
  const saying = said === null ? "" : `says: ${said}`;
  return [message, saying].filter((words) => words !== "").join("; ");
}
