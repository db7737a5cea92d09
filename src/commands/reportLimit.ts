/** The option that raises the limits of reports. */
import { UsageError } from "./exitCodes.js";

export const REPORT_LIMIT = {
  type: "string",
  requiresArg: true,
  describe: "Collect reports and files up to this size, such as 20GiB (default: limit and file_limit of the plan)",
} as const;

/** @returns bytes, or nothing. @throws UsageError for text that is no size */
export async function readReportLimit(given: string | undefined): Promise<{ reportLimitBytes?: number }> {
  if (given === undefined) return {};
  const { parseByteSize } = await import("../text/byteSize.js");
  const bytes = parseByteSize(String(given));
  if (bytes > 0) return { reportLimitBytes: bytes };
  throw new UsageError(`--report-limit ${String(given)} is not a size: write for example 500MiB or 20GiB`);
}
