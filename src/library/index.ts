/**
 * The library: everything that the commands do, with types. Each function loads its dependencies (YAML, the schema,
 * SSH, clouds, the database) when it is called, so importing this file is cheap.
 */
export type * from "./types.js";
export type { EnvironmentOption, HomeOption, VariableOptions, WaitOptions, WatchOptions } from "./options.js";
export { buildImage, listImages, removeImages } from "./images.js";
export { logIn } from "./login.js";
export { listLogs, readLogs } from "./logs.js";
export { findOutput, readOutputs, setOutput } from "./outputs.js";
export { checkOnline, checkVariables, describePlan, loadPlan, parseDurationText, rehearse } from "./plans.js";
export { analyzeRun, findRun, history, listRuns, readEvents, runNames, showRun } from "./records.js";
export { collectReports, copyReports, listReports, openReport } from "./reports.js";
export { boot, clean, reboot, reload, repair, rerun, resume, status, terminate } from "./runs.js";
export { abort, cancelAbort, givenOf, resumeToEnd, runToEnd } from "./runToEnd.js";
export { BootlevelError, isBootlevelError } from "../errors/bootlevelError.js";
export * from "../drivers/contract/errors.js";
export {
  AuthenticationError,
  ConnectionError,
  ConnectionLostError,
  HostKeyError,
  isAuthenticationError,
  isConnectionError,
  isConnectionLostError,
  isHostKeyError,
} from "../machines/contract/connection.js";
export { StagingError } from "../machines/contract/errors.js";
export { limitHandshakes } from "../machines/ssh/handshakeLimit.js";
export { isPlanError, PlanError } from "../plan/yaml/mistakes.js";
export * from "../state/contract/errors.js";
