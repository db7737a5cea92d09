/** What runs leave behind: collected, listed, opened, copied. */
import type { CopiedReport } from "../engine/reports/copyReports.js";
import type { ReportOutcome } from "../engine/reports/collectReports.js";
import type { OpenedReport, RunReport } from "../engine/reports/readReports.js";
import { work, type HomeOption, type WaitOptions, type WatchOptions } from "./options.js";
import { withRun } from "./openRecord.js";

/**
 * The reports that a run has brought home, with the files in them; of terminated runs, too.
 * @param options.service a service, a replica of it, or one report by its name (`web-2.1`). Default: all.
 * @param options.match a file pattern (`*.json`, `files/**`): only files that match are listed.
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
 * Opens one file of a run's reports, to be read as a stream.
 * @param file its path in the report (`files/results/a.json`), or the end of it (`a.json`) where that means one file.
 * @throws UnknownRunError, StateError when no file is meant, or several are: it names them
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
 * Copies a run's archives to a folder or a bucket. A file of the same name that is something else stays, unless
 * `overwrite` says otherwise; what could not be copied is in the result.
 * @param to a folder, or `s3://bucket/prefix`; credentials and region as the AWS SDK finds them.
 * @param options.endpoint where the bucket is, if not at Amazon's. Default: `$AWS_ENDPOINT_URL_S3`,
 *   `$AWS_ENDPOINT_URL`.
 * @throws UnknownRunError, StateError for a place that cannot be one
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
 * Collects the reports of a run that lives, now. What is missing is in the result, and told as warnings.
 * @param options.services services, or replicas of them. Default: all that have a report and have begun.
 * @throws RunBusyError, UnknownRunError, StateError for an unknown service or a run that is terminated
 */
export async function collectReports(
  run: string,
  options: HomeOption & WatchOptions & WaitOptions & { readonly services?: readonly string[] } = {},
): Promise<ReportOutcome[]> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/collectReports.js")).collectReportsNow(store, record, {
      services: options.services ?? [],
      ...work(options),
    }),
  );
}
