/** Reads the record of runs. */
import { withRun, withStore } from "./openRecord.js";
import { watch, type HomeOption, type WatchOptions } from "./options.js";
import type { EventRecord, RunAnalysis, RunDetails, RunHistory, RunSummary } from "./types.js";

/**
 * Lists every machine ever started for a run, oldest first, with its current state in the cloud. @throws
 * UnknownRunError
 */
export async function history(run: string, options: HomeOption & WatchOptions = {}): Promise<RunHistory> {
  return withRun(run, options, async (store, record) => {
    const { observe, signal } = watch(options);
    return (await import("../engine/operations/history.js")).runHistory(store, record, observe, signal);
  });
}

/** Lists the runs of this installation, oldest first; terminated ones only with `all`. */
export async function listRuns(options: HomeOption & { readonly all?: boolean } = {}): Promise<RunSummary[]> {
  return withStore(options, async (store) => {
    const { shownState } = await import("../engine/operations/show.js");
    return (await store.listRuns({ all: options.all ?? false })).map((run) => ({ ...run, state: shownState(run) }));
  });
}

/**
 * The summary of one run, as in `listRuns`.
 * @param run its name or number.
 * @throws UnknownRunError
 */
export async function findRun(run: string, options: HomeOption = {}): Promise<RunSummary> {
  return withRun(run, options, async (store, record) => {
    const { shownState } = await import("../engine/operations/show.js");
    const services = await store.services(record);
    return {
      ...record,
      state: shownState(record),
      services: services.length,
      ready: services.filter((service) => service.state === "ready").length,
    };
  });
}

/** The names of all runs, for shell completion. */
export async function runNames(options: HomeOption = {}): Promise<string[]> {
  return withStore(options, (store) => store.runNames());
}

/**
 * The record of a run: levels, services, states, addresses, attributes. Secrets are left out.
 * @param options.builtIns false leaves out built-in attributes, which takes less time. Default: true.
 * @throws UnknownRunError
 */
export async function showRun(
  run: string,
  options: HomeOption & { readonly builtIns?: boolean } = {},
): Promise<RunDetails> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/show.js")).showRun(store, record, options.builtIns),
  );
}

/** A run's event log, oldest first. @throws UnknownRunError */
export async function readEvents(run: string, options: HomeOption = {}): Promise<EventRecord[]> {
  return withRun(run, options, (store, record) => store.events(record));
}

/**
 * Analyzes the time that a run took, from its event log alone: the longest steps, the critical path, and every step of
 * every service. All durations and times are in milliseconds. `section` is null if only terminations are recorded and
 * none was requested.
 * @param options.section the number of a section of the run, from 1: each command that works on a run begins one.
 *   Default: the newest that is not a termination.
 * @param options.top the number of longest steps to list. Default: 20.
 * @throws UnknownRunError, StateError when the run has no section with that number.
 */
export async function analyzeRun(
  run: string,
  options: HomeOption & { readonly section?: number; readonly top?: number } = {},
): Promise<RunAnalysis> {
  return withRun(run, options, async (store, record) => {
    const { analyzeEvents } = await import("../engine/analysis/analyze.js");
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
