/** The types of the library's results and of what it is given. */
export type {
  ChainPart,
  LevelTiming,
  PartKind,
  RunAnalysis,
  RunSection,
  SectionAnalysis,
  ServiceTiming,
  StepTiming,
} from "../analysis.js";
export type {
  Contact,
  Driver,
  DriverContext,
  DriverDefinition,
  FirstContact,
  HostKeyPolicy,
  ImageRequest,
  LaunchOutcome,
  LaunchProblem,
  LaunchRequest,
  MachineMark,
  MachineStatus,
  MarkScope,
  TerminateOutcome,
} from "../drivers/driver.js";
export type { AbortResult } from "../engine/abort.js";
export type { BootResult } from "../engine/boot.js";
export type { OnlineCheck } from "../engine/checkOnline.js";
export type { CleanResult, StrayMachine } from "../engine/clean.js";
export type { BuildResult as ImageBuild } from "../engine/images/build.js";
export type { ListedImage } from "../engine/images/inventory.js";
export type { PastMachine, RunHistory } from "../engine/history.js";
export type { LoginOptions } from "../engine/login.js";
export type { LogChunk, LogFile } from "../engine/logs.js";
export type { CopiedReport } from "../engine/reports/copyReports.js";
export type { ReportOutcome } from "../engine/reports/collectReports.js";
export type { OpenedReport, ReportFile, RunReport } from "../engine/reports/readReports.js";
export type { ServiceChange } from "../engine/plans/planDiff.js";
export type { RehearsalReport } from "../engine/rehearsal/rehearse.js";
export type { ReloadResult } from "../engine/reload.js";
export type { RepairResult } from "../engine/repair.js";
export type { RunDetails, ShownService } from "../engine/show.js";
export type { TerminateResult } from "../engine/terminate.js";
export type { PlannedTask, RunEvent, RunState, ServiceFailure, ServiceState, Stage, StepName } from "../events.js";
export type { PlanDescription } from "../plan/describe.js";
export type { Given } from "../plan/given.js";
export type { RunToEndResult } from "../engine/runToEnd.js";
export type { Keep, LaunchPlan, Phase } from "../plan/launchPlan.js";
export type { Mistake } from "../plan/mistakes.js";
export type { EventRecord, RunSummary } from "../state/records.js";
export type { ServiceStatus, StatusReport, Trouble } from "../statusReport.js";
export type { UnusedMachine } from "../engine/up/unusedMachines.js";
