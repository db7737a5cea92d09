/** The types of the library's options and results. */
export type {
  ChainPart,
  LevelTiming,
  PartKind,
  RunAnalysis,
  RunSection,
  SectionAnalysis,
  ServiceTiming,
  StepTiming,
} from "../model/analysis.js";
export type {
  ConnectOptions,
  Contact,
  Driver,
  DriverContext,
  DriverDefinition,
  DriverState,
  FirstContact,
  HostKeyPolicy,
  ImageRequest,
  JsonValue,
  LaunchOutcome,
  LaunchProblem,
  LaunchRequest,
  MachineAccess,
  MachineMark,
  MachineStatus,
  MarkScope,
  StateEntry,
  StateKey,
  StateValue,
  TerminateOutcome,
} from "../drivers/contract/driver.js";
export type {
  Channel,
  ChannelEnd,
  InteractiveChannel,
  MachineConnection,
  Terminal,
} from "../machines/contract/connection.js";
export type { AbortResult } from "../engine/operations/abort.js";
export type { OutputValue, RunOutputs } from "../engine/operations/outputs.js";
export type { SetOutputResult, SettableOutput } from "../engine/operations/setOutput.js";
export type { BootResult } from "../engine/operations/boot.js";
export type { OnlineCheck } from "../engine/operations/checkOnline.js";
export type { CleanResult, StrayMachine } from "../engine/operations/clean.js";
export type { BuildResult as ImageBuild } from "../engine/operations/buildImage.js";
export type { ListedImage } from "../engine/images/inventory.js";
export type { PastMachine, RunHistory } from "../engine/operations/history.js";
export type { LoginOptions } from "../engine/operations/login.js";
export type { LogChunk, LogFile } from "../engine/operations/logs.js";
export type { CopiedReport } from "../engine/reports/copyReports.js";
export type { ReportOutcome } from "../engine/reports/collectReports.js";
export type { OpenedReport, ReportFile, RunReport } from "../engine/reports/readReports.js";
export type { Follower } from "../engine/attributes/followers.js";
export type { PlanDifference } from "../engine/operations/reload.js";
export type { ServiceChange } from "../engine/planChange/planDiff.js";
export type { RehearsalReport } from "../engine/operations/rehearse.js";
export type { ReloadResult } from "../engine/operations/reload.js";
export type { RepairResult } from "../engine/operations/repair.js";
export type { RunDetails, ShownService } from "../engine/operations/show.js";
export type { TerminateResult } from "../engine/operations/terminate.js";
export type {
  PlannedTask,
  RunEvent,
  RunState,
  ServiceFailure,
  ServiceState,
  Stage,
  StepName,
} from "../model/events.js";
export type { PlanDescription } from "../plan/describe.js";
export type { Given } from "../plan/launchPlan/given.js";
export type { RunToEndResult } from "../engine/operations/runToEnd.js";
export type { Keep, LaunchPlan, OnFailure, Phase } from "../plan/launchPlan/launchPlan.js";
export type { Mistake } from "../plan/yaml/mistakes.js";
export type { EventRecord, RunSummary } from "../state/contract/records.js";
export type { ServiceStatus, StatusReport, Trouble } from "../model/statusReport.js";
export type { UnusedMachine } from "../engine/launch/unusedMachines.js";
