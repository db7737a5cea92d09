import { pipeline } from "node:stream/promises";

import type { Argv } from "yargs";

import {
  collectReports,
  copyReports,
  listReports,
  openReport,
  type CopiedReport,
  type ReportOutcome,
  type RunReport,
} from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN, VERBOSE } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { isOutputOver, print, printError, printJson, screen } from "./output.js";
import { withProgress } from "./progress.js";
import { addWaitOption, readWaitOption, type WaitArguments } from "./waitOption.js";

interface ReportsArguments extends WaitArguments {
  readonly run: string;
  readonly service?: string;
  readonly match?: string;
  readonly open?: string;
  readonly to?: string;
  readonly endpoint?: string;
  readonly overwrite: boolean;
  readonly collect: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
}

/** The longest pattern that the matcher accepts. */
const LONGEST_PATTERN = 65_536;

export const command = "reports <run> [service]";
export const describe = "List, open, copy or collect the reports of a run";

export function builder(yargs: Argv) {
  return addWaitOption(
    yargs
      .positional("run", RUN)
      .positional("service", { type: "string", describe: "Service, replica or report (default: all)" }),
  )
    .option("match", {
      alias: "m",
      type: "string",
      requiresArg: true,
      describe: "List only files that match a pattern, such as '*.json' or 'files/**'",
    })
    .option("open", { type: "string", requiresArg: true, describe: "Write this file to stdout" })
    .option("to", {
      type: "string",
      requiresArg: true,
      describe: "Copy the archives to a folder or to s3://bucket/prefix",
    })
    .option("endpoint", {
      type: "string",
      requiresArg: true,
      describe: "With --to: S3 endpoint outside AWS (default: $AWS_ENDPOINT_URL)",
    })
    .option("overwrite", {
      type: "boolean",
      default: false,
      describe: "With --to: replace different files of the same name",
    })
    .option("collect", { type: "boolean", default: false, describe: "Collect reports from the running machines first" })
    .option("verbose", VERBOSE)
    .example("$0 reports shop", "List the collected files")
    .example("$0 reports shop web-2 --open result.json | jq .", "Write one file to stdout")
    .example("$0 reports shop --to s3://results/shop", "Copy all archives to a bucket");
}

export async function handler(options: ReportsArguments): Promise<number> {
  checkCall(options);
  const service = options.service === undefined ? {} : { service: String(options.service) };
  if (options.open !== undefined) return open(options.run, options.open, service);
  const { collected, interrupted } = options.collect ? await collect(options) : { collected: null, interrupted: false };
  const copied =
    options.to === undefined
      ? null
      : await copyReports(options.run, options.to, {
          ...ENVIRONMENT,
          ...service,
          overwrite: options.overwrite,
          ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
        });
  // Listing reads every archive to its end, so it is skipped after a copy.
  const reports =
    copied !== null && !options.json
      ? []
      : await listReports(options.run, {
          ...ENVIRONMENT,
          ...service,
          ...(options.match === undefined ? {} : { match: options.match }),
        });
  if (options.json)
    printJson("reports", {
      run: options.run,
      ...(collected === null ? {} : { collected }),
      ...(copied === null ? {} : { copied }),
      reports,
    });
  else if (copied === null) await printReports(options, reports);
  else await printCopies(copied);
  if (interrupted) return EXIT.interrupted;
  const fine =
    collected?.every(({ complete }) => complete) !== false &&
    copied?.every(({ outcome }) => outcome !== "failed") !== false &&
    reports.every(({ problem }) => problem === null);
  return fine ? EXIT.fine : EXIT.notFine;
}

function checkCall({ open: file, to, match, collect: now, json, endpoint, overwrite }: ReportsArguments): void {
  if (file !== undefined && (to !== undefined || match !== undefined || now || json))
    throw new UsageError("--open cannot be combined with --to, --match, --collect or --json");
  if (to !== undefined && match !== undefined)
    throw new UsageError("--to copies whole archives and cannot be combined with --match");
  if (match !== undefined && (match === "" || match.length > LONGEST_PATTERN))
    throw new UsageError(`--match takes a pattern of 1 to ${LONGEST_PATTERN} characters`);
  if (to === undefined && (endpoint !== undefined || overwrite))
    throw new UsageError(`${overwrite ? "--overwrite" : "--endpoint"} requires --to`);
  if (endpoint !== undefined && !URL.canParse(endpoint))
    throw new UsageError(`--endpoint ${endpoint} is not a URL: write for example https://s3.example.com`);
}

async function open(run: string, file: string, service: { service?: string }): Promise<number> {
  const { content } = await openReport(run, file, { ...ENVIRONMENT, ...service });
  // What becomes of an output that takes no more is decided for all commands.
  await pipeline(content, process.stdout, { end: false }).catch((error: NodeJS.ErrnoException) => {
    if (!isOutputOver() && error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  });
  return EXIT.fine;
}

async function collect(options: ReportsArguments): Promise<{ collected: ReportOutcome[]; interrupted: boolean }> {
  const wait = await readWaitOption(options);
  const services = options.service === undefined ? [] : [String(options.service)];
  const { result, interrupted } = await withProgress(
    { ...options, afterwards: "Reports can be collected again." },
    (watch) => collectReports(options.run, { ...ENVIRONMENT, services, ...wait, ...watch }),
  );
  if (result.length === 0) printError("Nothing to collect: no started service has a report in the plan.");
  return { collected: result, interrupted };
}

async function printReports(
  { run, match, collect: now }: ReportsArguments,
  reports: readonly RunReport[],
): Promise<void> {
  for (const { problem } of reports) if (problem !== null) printError(`bootlevel: ${problem}`);
  if (reports.length === 0)
    return print(
      `${run} has no reports${now ? "" : `. Collect them from its machines: bootlevel reports ${run} --collect`}`,
    );
  const [{ formatTable }, { formatTime }, { formatBytes }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
    import("../display/size.js"),
  ]);
  const rows = reports.flatMap(({ report, files }) =>
    files.map(({ file, bytes, modifiedAt, linkTo }) => [
      report,
      linkTo === null ? file : `${file} -> ${linkTo}`,
      formatBytes(bytes),
      formatTime(modifiedAt),
    ]),
  );
  if (rows.length === 0 && reports.some(({ problem }) => problem !== null)) return;
  if (rows.length === 0)
    return print(match === undefined ? "The reports are empty." : `No file of the reports matches ${match}.`);
  print(formatTable(["REPORT", "FILE", "SIZE", "CHANGED"], rows, { ...screen(), align: ["left", "left", "right"] }));
}

async function printCopies(copied: readonly CopiedReport[]): Promise<void> {
  if (copied.length === 0) return print("There are no reports to copy.");
  const { stripControl } = await import("../display/terminalText.js");
  const words = { copied: "copied to", there: "already exists:", failed: "was not copied to" };
  for (const { report, to, outcome, message } of copied) {
    const line = stripControl(`${report} ${words[outcome]} ${to}${message === "" ? "" : `: ${message}`}`);
    if (outcome === "failed") printError(`bootlevel: ${line}`);
    else print(line);
  }
}
