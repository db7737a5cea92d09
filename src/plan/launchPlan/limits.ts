/** Limits that hold where a plan sets none, in bytes. */

/** Of one file of a report, and of all its files together, before compression. */
export const REPORT_FILE_LIMIT_BYTES = 1_073_741_824;
export const REPORT_LIMIT_BYTES = 4_294_967_296;

/** Of the log of one step. */
export const LOG_LIMIT_BYTES = 67_108_864;
