/** Collects the reports of a live run. Changes nothing else in the run. */
import type { RunRecord } from "../../state/contract/records.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { followAddresses } from "../health/addresses.js";
import { needsTearDown } from "../tearDown/needsTearDown.js";
import { endAllUnfinished, endUnfinished, unfinishedPrograms } from "../programs/unfinished.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { chooseServices } from "../run/selection.js";
import { collectReports, type ReportOutcome } from "../reports/collectReports.js";
import type { Service } from "../run/service.js";

export interface CollectRunOptions extends WorkOptions {
  /** Services or replicas; empty for all. */
  readonly services: readonly string[];
  /** Include the logs of services without `report`. Default: false. */
  readonly all?: boolean;
  /** The operator's limit of a report, and of each file, in bytes. Default: the plan's. */
  readonly reportLimitBytes?: number | null;
}

/**
 * Collects the reports of a run's services whose programs have started.
 * @throws RunBusyError; StateError for an unknown service or a terminated run.
 */
export async function collectReportsNow(
  store: Store,
  run: RunRecord,
  options: CollectRunOptions,
): Promise<ReportOutcome[]> {
  checkAlive(run);
  return workOnRun(store, run, "reports", options, async (context, now) => {
    checkAlive(now);
    const assignments = await MachineAssignments.read(context);
    await followAddresses(context, assignments);
    const chosen = options.services.length === 0 ? context.levels.flat() : chooseServices(context, options.services);
    const due = chosen.filter((service) => {
      const record = context.records.get(service.id);
      return record !== undefined && record.state !== "terminated" && needsTearDown(record);
    });
    await endEarlier(context, assignments, due);
    return endingWhenAborted(context, assignments, () =>
      collectReports(context, assignments, due, {
        all: options.all ?? false,
        limitBytes: options.reportLimitBytes ?? null,
      }),
    );
  });
}

/**
 * Does `work`. If the run is aborted meanwhile, programs of a dead launcher are ended at once: nobody else can, since
 * this command holds the run. The reports are collected all the same.
 */
async function endingWhenAborted<T>(
  context: RunContext,
  assignments: MachineAssignments,
  work: () => Promise<T>,
): Promise<T> {
  const { signal } = context.abort;
  const ends: Promise<void>[] = [];
  const end = (): void => {
    const ended = endAllUnfinished(context, assignments, ({ step }) => step !== "report");
    ends.push(ended);
    context.writer?.expect(ended);
  };
  if (!signal.aborted) signal.addEventListener("abort", end, { once: true });
  try {
    const result = await work();
    await Promise.all(ends);
    return result;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

/** A report program of a dead launcher must not run beside the new one. */
async function endEarlier(
  context: RunContext,
  assignments: MachineAssignments,
  services: readonly Service[],
): Promise<void> {
  const unfinished = unfinishedPrograms(await context.store.steps(context.run));
  for (const service of services)
    await endUnfinished(
      context,
      assignments,
      service,
      (unfinished.get(service.id) ?? []).filter(({ step }) => step === "report"),
    );
}

function checkAlive(run: RunRecord): void {
  if (run.state === "terminated")
    throw new StateError(
      `run "${run.name}" is terminated`,
      `see the reports that it has: bootlevel reports ${run.name}`,
    );
}
