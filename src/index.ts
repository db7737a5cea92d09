/**
 * The library: what the commands do, typed. Heavy parts (YAML, the schema, SSH, clouds, the database) are loaded when a function needs them,
 * so that importing this file costs little.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import type { RunAnalysis } from "./analysis.js";
import type { BootResult } from "./engine/boot.js";
import type { LogChunk, LogFile } from "./engine/logs.js";
import type { RunDetails } from "./engine/show.js";
import type { StatusReport } from "./engine/status.js";
import type { TerminateResult } from "./engine/terminate.js";
import type { RunEvent, RunState } from "./events.js";
import type { PlanDescription } from "./plan/describe.js";
import type { LaunchPlan } from "./plan/launchPlan.js";
import type { EventRecord, RunRecord, RunSummary, VariableRecord } from "./state/records.js";
import type { Store } from "./state/store.js";

export type { BootResult, EventRecord, LaunchPlan, LogChunk, LogFile, PlanDescription, RunAnalysis, RunDetails, RunEvent, RunState, RunSummary, StatusReport, TerminateResult };
export type { ChainPart, LevelTiming, PartKind, RunSection, SectionAnalysis, ServiceTiming, StepTiming } from "./analysis.js";
export type { ServiceStatus } from "./engine/status.js";
export type { ShownService } from "./engine/show.js";
export type { ServiceFailure, ServiceState, StepName } from "./events.js";
export type { Mistake } from "./plan/mistakes.js";
export { PlanError } from "./plan/mistakes.js";
export type { Driver, DriverContext, DriverDefinition, LaunchOutcome, LaunchRequest, MachineStatus, TerminateOutcome } from "./drivers/driver.js";
export { CloudUnreachableError, DriverError } from "./drivers/driver.js";
export { LeaseLostError, RunBusyError, RunExistsError, StateError, UnknownRunError } from "./state/stateError.js";

/** Which installation: the directory of its state. Default: `$BOOTLEVEL_HOME`, else `~/.bootlevel`. */
export interface HomeOption {
  readonly home?: string;
}

/** Where the values of a plan's variables come from, nearest first. */
export interface VariableOptions {
  /** Values by name: `--var`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** YAML files of names and values; later ones win. */
  readonly varFiles?: readonly string[];
}

export interface WatchOptions {
  /** Told everything that happens, secrets taken out. Must not throw. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Abort it to stop: nothing new is started, what runs is written down. */
  readonly signal?: AbortSignal;
}

/**
 * Reads and checks a launch plan: a file, or a folder with `launch.yaml`.
 * @throws PlanError with every mistake in it.
 */
export async function loadPlan(path: string): Promise<LaunchPlan> {
  const [{ loadPlan: load }, { loadDriver }] = await Promise.all([import("./plan/load.js"), import("./drivers/registry.js")]);
  return load(await planFile(path), { driverDefinition: loadDriver });
}

/** What a plan would start: levels, services, replicas, clouds. */
export async function describePlan(plan: LaunchPlan): Promise<PlanDescription> {
  return (await import("./plan/describe.js")).describePlan(plan);
}

/**
 * Checks that every variable of the plan has a value.
 * @throws PlanError naming each one that has none, and each given one that the plan does not know.
 */
export async function checkVariables(plan: LaunchPlan, options: VariableOptions = {}): Promise<void> {
  await resolveValues(plan, options);
}

/**
 * Boots a plan and resolves when every service is ready or something has failed; failures are in the result.
 * @param options.name the run's name; default `<plan>-<random>`.
 * @throws PlanError for missing variables, RunExistsError, StateError. Nothing has been started then.
 */
export async function boot(plan: LaunchPlan, options: HomeOption & VariableOptions & WatchOptions & { readonly name?: string } = {}): Promise<BootResult> {
  const variables = await resolveValues(plan, options);
  const { bootRun } = await import("./engine/boot.js");
  return withStore(options, (store) => bootRun(store, { plan, variables, name: options.name ?? null, ...watch(options) }));
}

/** Looks at every machine of a run and runs its ready programs again. Writes nothing. */
export async function status(run: string, options: HomeOption & WatchOptions = {}): Promise<StatusReport> {
  return withRun(run, options, async (store, record) => {
    const { statusRun } = await import("./engine/status.js");
    const { shownState } = await import("./engine/show.js");
    const { observe, signal } = watch(options);
    return statusRun(store, { ...record, state: shownState(record) }, observe, signal);
  });
}

/**
 * Takes a run down, last level first.
 * @param options.force leave the terminate programs out.
 * @throws RunBusyError, UnknownRunError
 */
export async function terminate(run: string, options: HomeOption & WatchOptions & { readonly force?: boolean } = {}): Promise<TerminateResult> {
  return withRun(run, options, async (store, record) => {
    const { terminateRun } = await import("./engine/terminate.js");
    return terminateRun(store, record, { force: options.force ?? false, ...watch(options) });
  });
}

/** The runs of this installation, oldest first; terminated ones only with `all`. */
export async function listRuns(options: HomeOption & { readonly all?: boolean } = {}): Promise<RunSummary[]> {
  return withStore(options, async (store) => {
    const { shownState } = await import("./engine/show.js");
    return (await store.listRuns({ all: options.all ?? false })).map((run) => ({ ...run, state: shownState(run) }));
  });
}

/** Names of all runs, for completion. */
export async function runNames(options: HomeOption = {}): Promise<string[]> {
  return withStore(options, (store) => store.runNames());
}

/** What the record says of a run: levels, services, states, addresses, attributes. @throws UnknownRunError */
export async function showRun(run: string, options: HomeOption = {}): Promise<RunDetails> {
  return withRun(run, options, async (store, record) => (await import("./engine/show.js")).showRun(store, record));
}

/** The run's event log, oldest first. @throws UnknownRunError */
export async function readEvents(run: string, options: HomeOption = {}): Promise<EventRecord[]> {
  return withRun(run, options, (store, record) => store.events(record));
}

/**
 * What a run cost in time, from its event log alone: the longest steps, the critical chain, and every step of every service. All durations
 * and moments in it are milliseconds. `section` is null in it when nothing but terminations is recorded and none was asked for.
 * @param options.section which of the run's sections, from 1: each command that works on a run begins one. Default: the newest that is no termination.
 * @param options.top how many of the longest steps are listed. Default: 20.
 * @throws UnknownRunError, StateError when the run has no section of that number.
 */
export async function analyzeRun(run: string, options: HomeOption & { readonly section?: number; readonly top?: number } = {}): Promise<RunAnalysis> {
  return withRun(run, options, async (store, record) => {
    const { analyzeEvents } = await import("./engine/analysis/analyze.js");
    const { concurrency } = await store.plan(record);
    const working = record.holder?.alive === true;
    return analyzeEvents({ run: record.name, events: await store.events(record), concurrency, working, section: options.section ?? null, top: options.top ?? 20 });
  });
}

/** The run's log files; of one service if it is given. @throws UnknownRunError */
export async function listLogs(run: string, options: HomeOption & { readonly service?: string } = {}): Promise<LogFile[]> {
  return withRun(run, options, async (store, record) => (await import("./engine/logs.js")).listLogs(store, record, options.service ?? null));
}

/** The text of the run's logs; with `follow`, on until nobody works on the run any more, or `signal` aborts. @throws UnknownRunError */
export async function* readLogs(run: string, options: HomeOption & { readonly service?: string; readonly follow?: boolean; readonly signal?: AbortSignal } = {}): AsyncGenerator<LogChunk> {
  const { openStore } = await import("./state/store.js");
  const store = await openStore(options.home);
  try {
    const logs = await import("./engine/logs.js");
    const signal = options.signal ?? new AbortController().signal;
    yield* logs.readLogs(store, await store.findRun(run), { service: options.service ?? null, follow: options.follow ?? false, signal });
  } finally {
    store.close();
  }
}

async function planFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => null); // a missing file is the loader's to report, with its place
  return resolve(found?.isDirectory() ? join(path, "launch.yaml") : path);
}

async function resolveValues(plan: LaunchPlan, options: VariableOptions): Promise<VariableRecord[]> {
  const { resolveVariables } = await import("./plan/variables.js");
  const { values, environment } = resolveVariables(plan, { given: options.variables ?? {}, varFiles: options.varFiles ?? [], env: process.env });
  return [
    ...[...values].map(([name, { value, secret }]) => ({ kind: "variable" as const, name, value, secret })),
    ...[...environment].map(([name, value]) => ({ kind: "environment" as const, name, value, secret: false })),
  ];
}

function watch(options: WatchOptions): { observe: (event: RunEvent) => void; signal: AbortSignal } {
  return { observe: options.onEvent ?? (() => undefined), signal: options.signal ?? new AbortController().signal };
}

async function withStore<T>(options: HomeOption, work: (store: Store) => Promise<T>): Promise<T> {
  const { openStore } = await import("./state/store.js");
  const store = await openStore(options.home);
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

async function withRun<T>(run: string, options: HomeOption, work: (store: Store, record: RunRecord) => Promise<T>): Promise<T> {
  return withStore(options, async (store) => work(store, await store.findRun(run)));
}
