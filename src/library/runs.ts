/** Runs: boot, check, repair, change, terminate. */
import { withRun, withStore } from "./openRecord.js";
import { watch, work, type HomeOption, type VariableOptions, type WaitOptions, type WatchOptions } from "./options.js";
import type {
  BootResult,
  CleanResult,
  LaunchPlan,
  ReloadResult,
  RepairResult,
  PlanDifference,
  StatusReport,
  StrayMachine,
  TerminateResult,
} from "./types.js";
import { keptValues, resolveValues, sources, variableRecords } from "./variables.js";
import type { VariableRecord } from "../state/contract/records.js";

/**
 * Boots a plan. Resolves when every service is ready or something has failed; failures are in the result.
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

/** Checks every machine of a run and runs its ready programs again. Records nothing. @throws UnknownRunError */
export async function status(run: string, options: HomeOption & WatchOptions = {}): Promise<StatusReport> {
  return withRun(run, options, async (store, record) => {
    const { statusRun } = await import("../engine/operations/status.js");
    const { shownState } = await import("../engine/operations/show.js");
    const { observe, signal } = watch(options);
    return statusRun(store, { ...record, state: shownState(record) }, observe, signal);
  });
}

/**
 * Terminates a run, last level first. Failures are in the result.
 * @param options.force skip the terminate programs.
 * @param options.keep run the terminate programs and keep the machines.
 * @param options.reports collect the reports of services first; default true. Problems with them are emitted as
 *   warnings and change nothing else.
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
 * Continues a run whose launcher died or was interrupted, from the step that each service had reached. Failures are in
 * the result.
 * @throws RunBusyError, UnknownRunError, StateError for a run that is being taken down
 */
export async function resume(run: string, options: HomeOption & WatchOptions & WaitOptions = {}): Promise<BootResult> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/resume.js")).resumeRun(store, record, work(options)),
  );
}

/**
 * Finds unhealthy services of a run and repairs only those; does nothing to a healthy run. Failures are in the result.
 * @param options.replace services whose machines are replaced even if they are healthy.
 * @param options.maxReplacements the maximum number of unusable machines to replace; default a third of the run's
 *   machines, at least 1.
 * @param options.force skip the terminate programs of replaced machines.
 * @param options.dryRun only report what would be done.
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
 * Runs a service's boot program (or only its ready program) again on its current machine, and verifies the service.
 * @param service a service or one of its replicas.
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
 * Takes services (all, or the named ones) down and boots them again on new machines.
 * @param options.services services or replicas. Default: all.
 * @param options.force skip the terminate programs.
 * @throws RunBusyError, UnknownRunError, StateError for an unknown service or a terminated run
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
 * Makes a run follow a changed plan. Values of variables come from, in order: this call, the environment, the run, the
 * plan's defaults.
 * @param options.confirm receives the difference between the plans; false stops before anything is stored. Default: yes.
 * @param options.force skip the terminate programs of replaced and removed services.
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
      readonly confirm?: (difference: PlanDifference) => Promise<boolean>;
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
 * Finds orphaned machines (they carry this installation's mark and belong to no live service) and destroys them.
 * @param options.run only this run's; default: all.
 * @param options.plan also searches the clouds of this plan, for machines that the database no longer knows.
 * @param options.confirm receives the machines found; false destroys nothing. Only those machines are destroyed. The
 *   list is empty if there is no such machine, but drivers left other resources of terminated runs.
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
