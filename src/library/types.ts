/** The types of the library's results and of what it is given. */
export type { ChainPart, LevelTiming, PartKind, RunAnalysis, RunSection, SectionAnalysis, ServiceTiming, StepTiming } from "../analysis.js";
export type { Driver, DriverContext, DriverDefinition, LaunchOutcome, LaunchRequest, MachineMark, MachineStatus, MarkScope, TerminateOutcome } from "../drivers/driver.js";
export type { BootResult } from "../engine/boot.js";
export type { CleanResult, StrayMachine } from "../engine/clean.js";
export type { PastMachine, RunHistory } from "../engine/history.js";
export type { LogChunk, LogFile } from "../engine/logs.js";
export type { ServiceChange } from "../engine/plans/planDiff.js";
export type { RehearsalReport } from "../engine/rehearsal/rehearse.js";
export type { ReloadResult } from "../engine/reload.js";
export type { RepairResult } from "../engine/repair.js";
export type { RunDetails, ShownService } from "../engine/show.js";
export type { TerminateResult } from "../engine/terminate.js";
export type { PlannedTask, RunEvent, RunState, ServiceFailure, ServiceState, Stage, StepName } from "../events.js";
export type { PlanDescription } from "../plan/describe.js";
export type { LaunchPlan } from "../plan/launchPlan.js";
export type { Mistake } from "../plan/mistakes.js";
export type { EventRecord, RunSummary } from "../state/records.js";
export type { ServiceStatus, StatusReport, Trouble } from "../statusReport.js";
