/** Runs: booted, looked at, mended, changed, taken down. */
import { withRun, withStore } from "./openRecord.js";
import { watch, work, type HomeOption, type VariableOptions, type WaitOptions, type WatchOptions } from "./options.js";
import type {
  BootResult,
  CleanResult,
  LaunchPlan,
  ReloadResult,
  RepairResult,
  ServiceChange,
  StatusReport,
  StrayMachine,
  TerminateResult,
} from "./types.js";
import { keptValues, resolveValues, sources, variableRecords } from "./variables.js";
import type { VariableRecord } from "../state/contract/records.js";

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
  const { bootRun } = await import("../engine/operations/boot.js");
  return withStore(options, (store) =>
    bootRun(store, { plan, variables, name: options.name ?? null, ...watch(options) }),
  );
}

/** Looks at every machine of a run and runs its ready programs again. Writes nothing. */
export async function status(run: string, options: HomeOption & WatchOptions = {}): Promise<StatusReport> {
  return withRun(run, options, async (store, record) => {
    const { statusRun } = await import("../engine/operations/status.js");
    const { shownState } = await import("../engine/operations/show.js");
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
    const { terminateRun } = await import("../engine/operations/terminate.js");
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
    (await import("../engine/operations/resume.js")).resumeRun(store, record, work(options)),
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
    (await import("../engine/operations/repair.js")).repairRun(store, record, {
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
    (await import("../engine/operations/rerun.js")).rerunService(store, record, {
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
    (await import("../engine/operations/reboot.js")).rebootRun(store, record, {
      services: options.services ?? [],
      force: options.force ?? false,
      ...work(options),
    }),
  );
}

/**
 * Lets a run follow a changed plan. Values of variables: those given here, then the environment, then those that the
 * run has, then the plan's defaults.
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
    import("../engine/operations/reload.js"),
    import("../plan/references/variables.js"),
  ]);
  const chooseVariables = (before: readonly VariableRecord[], beforePlan: LaunchPlan) =>
    variableRecords(resolveVariables(plan, { ...sources(options), kept: keptValues(before, beforePlan) }));
  const { confirm = async () => true, force = false } = options;
  return withRun(run, options, (store, record) =>
    reloadRun(store, record, { plan, chooseVariables, confirm, force, ...work(options) }),
  );
}

/**
 * Finds machines that carry this installation's mark and belong to no live service, and ends them.
 * @param options.run only this run's; default: all.
 * @param options.plan asks the clouds of this plan too, for what the database does not know any more.
 * @param options.confirm shown what was found; false ends nothing. Only what was shown is ended. The list is empty
 *   where no machine was found, but terminated runs are to be cleared of what drivers made beside their machines.
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
  const { cleanMachines } = await import("../engine/operations/clean.js");
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
