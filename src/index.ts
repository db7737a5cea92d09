/**
 * The library: what the commands do, typed. Heavy parts (YAML, the schema, SSH, clouds, the database) are loaded when a
 * function needs them,
 * so that importing this file costs little.
 */
import { withRun, withStore } from "./library/record.js";
import {
  watch,
  work,
  type HomeOption,
  type VariableOptions,
  type WaitOptions,
  type WatchOptions,
} from "./library/options.js";
import type {
  BootResult,
  CleanResult,
  EventRecord,
  Given,
  LaunchPlan,
  OnlineCheck,
  PlanDescription,
  RehearsalReport,
  ReloadResult,
  RepairResult,
  RunAnalysis,
  RunDetails,
  RunHistory,
  RunSummary,
  ServiceChange,
  StatusReport,
  StrayMachine,
  TerminateResult,
} from "./library/types.js";
import { planFile } from "./library/planFile.js";
import { keptValues, resolveValues, sources, variableRecords } from "./library/variables.js";
import type { VariableRecord } from "./state/records.js";

export type * from "./library/types.js";
export type { HomeOption, VariableOptions, WaitOptions, WatchOptions } from "./library/options.js";
export { abort, cancelAbort, givenOf, logIn, resumeToEnd, runToEnd } from "./library/ending.js";
export { buildImage, listImages, removeImages } from "./library/images.js";
export { listLogs, readLogs } from "./library/logs.js";
export { collectReports, copyReports, listReports, openReport } from "./library/reports.js";
export { PlanError } from "./plan/mistakes.js";
export {
  CloudUnreachableError,
  DriverError,
  ImageFailedError,
  LostReplyError,
  ThrottledError,
} from "./drivers/driver.js";
export { limitHandshakes } from "./machines/ssh/handshakePlaces.js";
export { LeaseLostError, RunBusyError, RunExistsError, StateError, UnknownRunError } from "./state/stateError.js";

/**
 * Reads and checks a launch plan: a file, or a folder with `launch.yaml`.
 * @param options.given numbers of replicas and values of inputs, which go before what the plan says.
 * @param options.givenBefore those of a run that is to follow the plan, see `givenOf`.
 * @throws PlanError with every mistake in it, and in what is given.
 */
export async function loadPlan(
  path: string,
  options: { readonly given?: Given; readonly givenBefore?: Given } = {},
): Promise<LaunchPlan> {
  const [{ loadPlan: load }, { loadDriver }] = await Promise.all([
    import("./plan/load.js"),
    import("./drivers/registry.js"),
  ]);
  return load(await planFile(path), { driverDefinition: loadDriver, ...options });
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
 * Asks the plan's clouds whether its launches could work; nothing is launched. Of clouds whose drivers cannot tell, and
 * of services that need values of
 * others, the result says that they were not checked.
 * @param options.onWarning told what could not be checked for want of a right.
 * @throws PlanError with every problem, CloudUnreachableError
 */
export async function checkOnline(
  plan: LaunchPlan,
  options: VariableOptions & { readonly onWarning?: (message: string) => void; readonly signal?: AbortSignal } = {},
): Promise<OnlineCheck> {
  const variables = await resolveValues(plan, options);
  const { checkOnline: check } = await import("./engine/checkOnline.js");
  return check({
    plan,
    variables,
    warn: options.onWarning ?? (() => undefined),
    signal: options.signal ?? new AbortController().signal,
  });
}

/**
 * Boots a plan and resolves when every service is ready or something has failed; failures are in the result.
 * @param options.name the run's name; default `<plan>-<random>`.
 * @throws PlanError for missing variables, RunExistsError, StateError. Nothing has been started then.
 */
export async function boot(
  plan: LaunchPlan,
  options: HomeOption & VariableOptions & WatchOptions & { readonly name?: string } = {},
): Promise<BootResult> {
  const variables = await resolveValues(plan, options);
  const { bootRun } = await import("./engine/boot.js");
  return withStore(options, (store) =>
    bootRun(store, { plan, variables, name: options.name ?? null, ...watch(options) }),
  );
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
 * @param options.keep run the terminate programs and leave the machines.
 * @param options.reports bring the reports of services home first; default true. What goes wrong with them is told as
 *   warnings, and changes nothing else.
 * @throws RunBusyError, UnknownRunError
 */
export async function terminate(
  run: string,
  options: HomeOption &
    WatchOptions &
    WaitOptions & { readonly force?: boolean; readonly keep?: boolean; readonly reports?: boolean } = {},
): Promise<TerminateResult> {
  return withRun(run, options, async (store, record) => {
    const { terminateRun } = await import("./engine/terminate.js");
    return terminateRun(store, record, {
      force: options.force ?? false,
      keep: options.keep ?? false,
      reports: options.reports ?? true,
      ...work(options),
    });
  });
}

/**
 * Carries on with a run whose launcher died or was interrupted, from the step that each service had reached. Failures
 * are in the result.
 * @throws RunBusyError, UnknownRunError, StateError for a run that is being taken down
 */
export async function resume(run: string, options: HomeOption & WatchOptions & WaitOptions = {}): Promise<BootResult> {
  return withRun(run, options, async (store, record) =>
    (await import("./engine/resume.js")).resumeRun(store, record, work(options)),
  );
}

/**
 * Finds what is not well in a run and mends just that; does nothing to a run that is well.
 * @param options.replace services whose machines are replaced, well or not.
 * @param options.maxReplacements how many machines that are no good may be replaced; default a third of the run's, at
 *   least 1.
 * @param options.force leave the terminate programs of replaced machines out.
 * @param options.dryRun only say what would be done.
 * @throws RunBusyError, UnknownRunError, StateError for an unknown service or a run that is being taken down
 */
export async function repair(
  run: string,
  options: HomeOption &
    WatchOptions &
    WaitOptions & {
      readonly replace?: readonly string[];
      readonly maxReplacements?: number;
      readonly force?: boolean;
      readonly dryRun?: boolean;
    } = {},
): Promise<RepairResult> {
  const { replace = [], maxReplacements = null, force = false, dryRun = false } = options;
  return withRun(run, options, async (store, record) =>
    (await import("./engine/repair.js")).repairRun(store, record, {
      replace,
      maxReplacements,
      force,
      dryRun,
      ...work(options),
    }),
  );
}

/**
 * Runs a service's boot program (or only its ready program) again on the machine that it has, and verifies it.
 * @param service a service, or one replica of it.
 * @throws RunBusyError, UnknownRunError, StateError for an unknown service or one without a machine
 */
export async function rerun(
  run: string,
  service: string,
  options: HomeOption & WatchOptions & WaitOptions & { readonly step?: "boot" | "ready" } = {},
): Promise<BootResult> {
  return withRun(run, options, async (store, record) =>
    (await import("./engine/rerun.js")).rerunService(store, record, {
      service,
      step: options.step ?? "boot",
      ...work(options),
    }),
  );
}

/**
 * Takes services (all, or those named) down and boots them again on new machines.
 * @param options.force leave the terminate programs out.
 * @throws RunBusyError, UnknownRunError, StateError for an unknown service or a run that is terminated
 */
export async function reboot(
  run: string,
  options: HomeOption &
    WatchOptions &
    WaitOptions & { readonly services?: readonly string[]; readonly force?: boolean } = {},
): Promise<BootResult> {
  return withRun(run, options, async (store, record) =>
    (await import("./engine/reboot.js")).rebootRun(store, record, {
      services: options.services ?? [],
      force: options.force ?? false,
      ...work(options),
    }),
  );
}

/**
 * Lets a run follow a changed plan. Values of variables: those given here, then the environment, then those that the
 * run has, then the plan's
 * defaults.
 * @param options.confirm shown what changes for every service; false stops before anything is stored. Default: yes.
 * @param options.force leave the terminate programs of replaced and removed services out.
 * @throws RunBusyError, UnknownRunError, PlanError for variables, StateError for a run that is being taken down or a
 *   cloud that must not change
 */
export async function reload(
  run: string,
  plan: LaunchPlan,
  options: HomeOption &
    VariableOptions &
    WatchOptions &
    WaitOptions & {
      readonly confirm?: (changes: readonly ServiceChange[]) => Promise<boolean>;
      readonly force?: boolean;
    } = {},
): Promise<ReloadResult> {
  const [{ reloadRun }, { resolveVariables }] = await Promise.all([
    import("./engine/reload.js"),
    import("./plan/variables.js"),
  ]);
  const chooseVariables = (before: readonly VariableRecord[], beforePlan: LaunchPlan) =>
    variableRecords(resolveVariables(plan, { ...sources(options), kept: keptValues(before, beforePlan) }));
  const { confirm = async () => true, force = false } = options;
  return withRun(run, options, (store, record) =>
    reloadRun(store, record, { plan, chooseVariables, confirm, force, ...work(options) }),
  );
}

/** Every machine ever started for a run, and what its cloud says of it now. @throws UnknownRunError */
export async function history(run: string, options: HomeOption & WatchOptions = {}): Promise<RunHistory> {
  return withRun(run, options, async (store, record) => {
    const { observe, signal } = watch(options);
    return (await import("./engine/history.js")).runHistory(store, record, observe, signal);
  });
}

/**
 * Finds machines that carry this installation's mark and belong to no live service, and ends them.
 * @param options.run only this run's; default: all.
 * @param options.plan asks the clouds of this plan too, for what the database does not know any more.
 * @param options.confirm shown what was found; false ends nothing. Only what was shown is ended. The list is empty
 *   where no machine was found, but
 *   terminated runs are to be cleared of what drivers made beside their machines.
 * @throws UnknownRunError, PlanError for the plan's variables
 */
export async function clean(
  options: HomeOption &
    VariableOptions &
    WatchOptions & {
      readonly run?: string;
      readonly plan?: LaunchPlan;
      readonly confirm: (machines: readonly StrayMachine[]) => Promise<boolean>;
    },
): Promise<CleanResult> {
  const { cleanMachines } = await import("./engine/clean.js");
  const plan =
    options.plan === undefined ? null : { plan: options.plan, variables: await resolveValues(options.plan, options) };
  return withStore(options, async (store) =>
    cleanMachines(store, {
      run: options.run === undefined ? null : await store.findRun(options.run),
      plan,
      confirm: options.confirm,
      ...watch(options),
    }),
  );
}

/**
 * Boots a plan many times on simulated clouds, in a temporary directory and a time that jumps, and repairs what did not
 * come up. Nothing real is
 * started or contacted; variables without a value, and all secrets, are made up.
 * @param options.faults a file of faults: the keys of a simulated cloud. Default: launches and programs take as long as
 *   usual, and nothing fails.
 * @param options.runs how often; default 100.
 * @param options.repairs how many repairs a run may have that did not come up; default 3.
 * @param options.seed the same seed gives the same rehearsals; default "1".
 * @param options.onProgress told how many rehearsals are done.
 * @param options.signal abort it to stop; what was rehearsed until then is in the result.
 * @throws PlanError for mistakes in the file of faults or in variables
 */
export async function rehearse(
  plan: LaunchPlan,
  options: VariableOptions &
    Pick<WatchOptions, "signal"> & {
      readonly faults?: string;
      readonly runs?: number;
      readonly repairs?: number;
      readonly seed?: string;
      readonly onProgress?: (done: number) => void;
    } = {},
): Promise<RehearsalReport> {
  const [{ readFaults, USUAL }, { MADE_UP, rehearsalPlan }, { rehearsePlan }, { resolveVariables }] = await Promise.all(
    [
      import("./engine/rehearsal/faults.js"),
      import("./engine/rehearsal/rehearsalPlan.js"),
      import("./engine/rehearsal/rehearse.js"),
      import("./plan/variables.js"),
    ],
  );
  const rehearsed = rehearsalPlan(plan, options.faults === undefined ? null : readFaults(options.faults), USUAL);
  const madeUp = Object.fromEntries(plan.environment.map((name) => [name, MADE_UP]));
  const variables = variableRecords(
    resolveVariables(rehearsed, { ...sources(options), env: { ...madeUp, ...process.env } }),
  );
  const { runs = 100, repairs = 3, seed = "1", onProgress = () => undefined } = options;
  return rehearsePlan({ plan: rehearsed, variables, runs, repairs, seed, onProgress, signal: watch(options).signal });
}

/** The runs of this installation, oldest first; terminated ones only with `all`. */
export async function listRuns(options: HomeOption & { readonly all?: boolean } = {}): Promise<RunSummary[]> {
  return withStore(options, async (store) => {
    const { shownState } = await import("./engine/show.js");
    return (await store.listRuns({ all: options.all ?? false })).map((run) => ({ ...run, state: shownState(run) }));
  });
}

/** One run's line of `listRuns`, by name or number. @throws UnknownRunError */
export async function findRun(run: string, options: HomeOption = {}): Promise<RunSummary> {
  return withRun(run, options, async (store, record) => {
    const { shownState } = await import("./engine/show.js");
    const services = await store.services(record);
    return {
      ...record,
      state: shownState(record),
      services: services.length,
      ready: services.filter((service) => service.state === "ready").length,
    };
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
 * What a run cost in time, from its event log alone: the longest steps, the critical chain, and every step of every
 * service. All durations
 * and moments in it are milliseconds. `section` is null in it when nothing but terminations is recorded and none was
 * asked for.
 * @param options.section which of the run's sections, from 1: each command that works on a run begins one. Default: the
 *   newest that is no termination.
 * @param options.top how many of the longest steps are listed. Default: 20.
 * @throws UnknownRunError, StateError when the run has no section of that number.
 */
export async function analyzeRun(
  run: string,
  options: HomeOption & { readonly section?: number; readonly top?: number } = {},
): Promise<RunAnalysis> {
  return withRun(run, options, async (store, record) => {
    const { analyzeEvents } = await import("./engine/analysis/analyze.js");
    const { concurrency } = (await store.plan(record)).plan;
    const working = record.holder?.alive === true;
    return analyzeEvents({
      run: record.name,
      events: await store.events(record),
      concurrency,
      working,
      section: options.section ?? null,
      top: options.top ?? 20,
    });
  });
}

/** Milliseconds of a duration as plans write it (`90s`, `1h30m`); NaN for other text. */
export async function parseDurationText(text: string): Promise<number> {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return Number.NaN;
  return (await import("./plan/duration.js")).durationMs(text);
}
