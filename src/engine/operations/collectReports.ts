/** Collects the reports of a run that lives, without changing anything else about it. */
import type { RunRecord } from "../../state/contract/records.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { needsTearDown } from "../tearDown/needsTearDown.js";
import { endUnfinished, unfinishedPrograms } from "../programs/unfinished.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { chooseServices } from "../run/selection.js";
import { collectReports, type ReportOutcome } from "../reports/collectReports.js";
import type { Service } from "../run/service.js";

export interface CollectRunOptions extends WorkOptions {
  /** Services, or replicas of them; none for all. */
  readonly services: readonly string[];
  /** Services without `report`, too: their logs alone. Default: false. */
  readonly all?: boolean;
}

/**
 * Collects the reports of a run's services whose programs have begun.
 * @throws RunBusyError, StateError for an unknown service or a run that is terminated.
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
    const chosen = options.services.length === 0 ? context.levels.flat() : chooseServices(context, options.services);
    const due = chosen.filter((service) => {
      const record = context.records.get(service.id);
      return record !== undefined && record.state !== "terminated" && needsTearDown(service, record);
    });
    await endEarlier(context, assignments, due);
    return collectReports(context, assignments, due, { all: options.all ?? false });
  });
}

/** A report program of a launcher that died must not run beside the new one. */
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
    throw new StateError(`run "${run.name}" is terminated`, `what was collected before: bootlevel reports ${run.name}`);
}
