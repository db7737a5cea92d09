/** Runs that end by themselves or are made to: `run`, `abort`, and what an operator does afterwards. */
import type { AbortResult, Given, Keep, LaunchPlan, RunToEndResult } from "./types.js";
import { watch, work, type HomeOption, type VariableOptions, type WaitOptions, type WatchOptions } from "./options.js";
import { withRun, withStore } from "./openRecord.js";
import { resolveValues } from "./variables.js";

/**
 * Boots a plan, executes what it is there for, brings the reports home, and ends the machines unless they are to be
 * kept. Failures are in the result.
 * @param options.keep goes before what the plan says; without both, no machine is kept.
 * @param options.signal abort it to stop booting and executing; reports and machines are seen to all the same.
 * @throws PlanError for missing variables, RunExistsError, StateError. Nothing has been started then.
 */
export async function runToEnd(
  plan: LaunchPlan,
  options: HomeOption & VariableOptions & WatchOptions & { readonly name?: string; readonly keep?: Keep } = {},
): Promise<RunToEndResult> {
  const variables = await resolveValues(plan, options);
  const { runToEnd: run } = await import("../engine/operations/runToEnd.js");
  return withStore(options, (store) =>
    run(store, {
      start: { kind: "plan", plan, variables, name: options.name ?? null },
      keep: options.keep ?? null,
      waitMs: 0,
      ...watch(options),
    }),
  );
}

/**
 * The same for a run whose launcher died: from the step that each service had reached. @throws RunBusyError,
 * UnknownRunError, StateError for a run that is being taken down
 */
export async function resumeToEnd(
  run: string,
  options: HomeOption & WatchOptions & WaitOptions & { readonly keep?: Keep } = {},
): Promise<RunToEndResult> {
  const { runToEnd: finish } = await import("../engine/operations/runToEnd.js");
  return withRun(run, options, async (store, record) =>
    finish(store, { start: { kind: "resume", run: record }, keep: options.keep ?? null, ...work(options) }),
  );
}

/**
 * Aborts a run: its programs are ended, by the launcher that works on it or by this call where none does, and nothing
 * new begins. Machines stay.
 * @throws UnknownRunError, StateError for a run that is terminated
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

/** Takes a run's abort back. @returns the reason that it had, or null. @throws UnknownRunError */
export async function cancelAbort(run: string, options: HomeOption = {}): Promise<string | null> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/abort.js")).cancelAbort(store, record),
  );
}

/** What the operator said of replicas and inputs when the run was booted, or reloaded last. @throws UnknownRunError */
export async function givenOf(run: string, options: HomeOption = {}): Promise<Given> {
  return withRun(run, options, async (store, record) => (await store.plan(record)).plan.given);
}
