/** Runs that end by themselves (`run`), and aborts. */
import type { AbortResult, Given, Keep, LaunchPlan, RunToEndResult } from "./types.js";
import { watch, work, type HomeOption, type VariableOptions, type WaitOptions, type WatchOptions } from "./options.js";
import { withRun, withStore } from "./openRecord.js";
import { resolveValues } from "./variables.js";

/**
 * Boots a plan, runs its execute programs, collects the reports, and destroys the machines unless they are kept.
 * Failures are in the result.
 * @param options.keep which outcome keeps the machines; overrides the plan. Default: the plan's `keep`, else none are
 *   kept.
 * @param options.force destroys machines whose reports could not be brought home, too. Default: these machines stay.
 * @param options.signal abort it to stop booting and executing; reports are collected and machines destroyed all the
 *   same.
 * @throws PlanError for missing variables, RunExistsError, StateError. Nothing has been started then.
 */
export async function runToEnd(
  plan: LaunchPlan,
  options: HomeOption &
    VariableOptions &
    WatchOptions & { readonly name?: string; readonly keep?: Keep; readonly force?: boolean } = {},
): Promise<RunToEndResult> {
  const variables = await resolveValues(plan, options);
  const { runToEnd: run } = await import("../engine/operations/runToEnd.js");
  return withStore(options, (store) =>
    run(store, {
      start: { kind: "plan", plan, variables, name: options.name ?? null },
      keep: options.keep ?? null,
      force: options.force ?? false,
      waitMs: 0,
      ...watch(options),
    }),
  );
}

/**
 * Like `runToEnd`, for a run whose launcher died: continues from the step that each service had reached.
 * @throws RunBusyError, UnknownRunError, StateError for a run that is being taken down
 */
export async function resumeToEnd(
  run: string,
  options: HomeOption & WatchOptions & WaitOptions & { readonly keep?: Keep; readonly force?: boolean } = {},
): Promise<RunToEndResult> {
  const { runToEnd: finish } = await import("../engine/operations/runToEnd.js");
  return withRun(run, options, async (store, record) =>
    finish(store, {
      start: { kind: "resume", run: record },
      keep: options.keep ?? null,
      force: options.force ?? false,
      ...work(options),
    }),
  );
}

/**
 * Aborts a run: ends its running programs and starts nothing new. The launcher that works on the run ends the programs;
 * without one, this call does. Machines stay.
 * @param reason why, for people. If the run was already aborted, its first reason stays.
 * @returns the reason in effect, and who ended the programs.
 * @throws UnknownRunError, StateError for a terminated run
 */
export async function abort(
  run: string,
  reason: string,
  options: HomeOption & WatchOptions & WaitOptions = {},
): Promise<AbortResult> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/abort.js")).abortRun(store, record, { reason, ...work(options) }),
  );
}

/**
 * Cancels a run's abort.
 * @returns the abort's reason, or null if the run was not aborted.
 * @throws UnknownRunError
 */
export async function cancelAbort(run: string, options: HomeOption = {}): Promise<string | null> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/abort.js")).cancelAbort(store, record),
  );
}

/**
 * The numbers of replicas and values of inputs that the operator gave when the run was booted, or last reloaded.
 * @throws UnknownRunError
 */
export async function givenOf(run: string, options: HomeOption = {}): Promise<Given> {
  return withRun(run, options, async (store, record) => (await store.plan(record)).plan.given);
}
