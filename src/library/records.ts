/** What the record says of runs. */
import { withRun, withStore } from "./openRecord.js";
import { watch, type HomeOption, type WatchOptions } from "./options.js";
import type { EventRecord, RunAnalysis, RunDetails, RunHistory, RunSummary } from "./types.js";

/** Every machine ever started for a run, and what its cloud says of it now. @throws UnknownRunError */
export async function history(run: string, options: HomeOption & WatchOptions = {}): Promise<RunHistory> {
  return withRun(run, options, async (store, record) => {
    const { observe, signal } = watch(options);
    return (await import("../engine/operations/history.js")).runHistory(store, record, observe, signal);
  });
}

/** The runs of this installation, oldest first; terminated ones only with `all`. */
export async function listRuns(options: HomeOption & { readonly all?: boolean } = {}): Promise<RunSummary[]> {
  return withStore(options, async (store) => {
    const { shownState } = await import("../engine/operations/show.js");
    return (await store.listRuns({ all: options.all ?? false })).map((run) => ({ ...run, state: shownState(run) }));
  });
}

/** One run's line of `listRuns`, by name or number. @throws UnknownRunError */
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

/** Names of all runs, for completion. */
export async function runNames(options: HomeOption = {}): Promise<string[]> {
  return withStore(options, (store) => store.runNames());
}

/** What the record says of a run: levels, services, states, addresses, attributes. @throws UnknownRunError */
export async function showRun(run: string, options: HomeOption = {}): Promise<RunDetails> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/show.js")).showRun(store, record),
  );
}

/** The run's event log, oldest first. @throws UnknownRunError */
export async function readEvents(run: string, options: HomeOption = {}): Promise<EventRecord[]> {
  return withRun(run, options, (store, record) => store.events(record));
}

/**
 * What a run cost in time, from its event log alone: the longest steps, the critical chain, and every step of every
 * service. All durations and moments in it are milliseconds. `section` is null in it when nothing but terminations is
 * recorded and none was asked for.
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
