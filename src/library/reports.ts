/** Reports of runs: collect, list, open, copy. */
import type { CopiedReport } from "../engine/reports/copyReports.js";
import type { ReportOutcome } from "../engine/reports/collectReports.js";
import type { OpenedReport, RunReport } from "../engine/reports/readReports.js";
import { work, type HomeOption, type WaitOptions, type WatchOptions } from "./options.js";
import { withRun } from "./openRecord.js";

/**
 * Lists a run's collected reports with their files; of terminated runs, too. Sizes are in bytes, times in milliseconds
 * since the epoch.
 * @param options.service a service, one of its replicas, or one report by its name (`web-2.1`). Default: all.
 * @param options.match a file pattern (`*.json`, `files/**`): only matching files are listed.
 * @throws UnknownRunError, StateError for a service without any report
 */
export async function listReports(
  run: string,
  options: HomeOption & { readonly service?: string; readonly match?: string } = {},
): Promise<RunReport[]> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/reports/readReports.js")).listReports(store, record, {
      service: options.service ?? null,
      match: options.match ?? null,
    }),
  );
}

/**
 * Opens one file of a run's reports as a stream.
 * @param file its path in the report (`files/results/a.json`), or the end of it (`a.json`) if only one file matches.
 * @returns the stream of its content, and its size in bytes.
 * @throws UnknownRunError, StateError when no file matches, or several do: it names them
 */
export async function openReport(
  run: string,
  file: string,
  options: HomeOption & { readonly service?: string } = {},
): Promise<OpenedReport> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/reports/readReports.js")).openReport(store, record, {
      service: options.service ?? null,
      file,
    }),
  );
}

/**
 * Copies a run's archives to a folder or a bucket. An existing file with the same name and different content stays,
 * unless `overwrite` is set. Failed copies are in the result.
 * @param to a folder, or `s3://bucket/prefix`; the AWS SDK finds credentials and region.
 * @param options.endpoint the bucket's endpoint, if it is not Amazon's. Default: `$AWS_ENDPOINT_URL_S3`, else
 *   `$AWS_ENDPOINT_URL`.
 * @returns the result for each archive.
 * @throws UnknownRunError, StateError for an invalid destination
 */
export async function copyReports(
  run: string,
  to: string,
  options: HomeOption & { readonly service?: string; readonly overwrite?: boolean; readonly endpoint?: string } = {},
): Promise<CopiedReport[]> {
  const { service = null, overwrite = false, endpoint = null } = options;
  return withRun(run, options, async (store, record) =>
    (await import("../engine/reports/copyReports.js")).copyReports(store, record, { service, to, overwrite, endpoint }),
  );
}

/**
 * Collects the reports of a live run now. What is missing is in the result, and emitted as warnings.
 * @param options.services services or replicas. Default: all that have a report and have started.
 * @returns the result for each replica.
 * @param options.reportLimitBytes raises the limits of the plan's reports, in bytes.
 * @throws RunBusyError, UnknownRunError, StateError for an unknown service or a terminated run
 */
export async function collectReports(
  run: string,
  options: HomeOption &
    WatchOptions &
    WaitOptions & { readonly services?: readonly string[]; readonly reportLimitBytes?: number } = {},
): Promise<ReportOutcome[]> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/collectReports.js")).collectReportsNow(store, record, {
      services: options.services ?? [],
      reportLimitBytes: options.reportLimitBytes ?? null,
      ...work(options),
    }),
  );
}
