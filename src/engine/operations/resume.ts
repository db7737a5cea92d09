/** Continues a run whose launcher died or was interrupted, from the step that each service had reached. */
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { Agenda, type Task } from "../tasks/agenda.js";
import type { BootResult } from "./boot.js";
import { runAgenda } from "../bringUp/runAgenda.js";
import { isTask, repairUnfinished, unfinishedTask } from "../health/diagnosis.js";
import { withSelfAbort } from "../run/selfAbort.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { checkGoal } from "./repair.js";
import type { RunContext } from "../run/context.js";
import { survey, type ServiceFinding } from "../health/survey.js";
import type { Service } from "../run/service.js";

/**
 * Resumes a run; for the verb "run", within its plan's deadlines. Ready services are left alone. No machine is
 * requested twice.
 * @throws RunBusyError; StateError for a run that is being taken down or is aborted.
 */
export async function resumeRun(
  store: Store,
  run: RunRecord,
  options: WorkOptions & { readonly verb?: "boot" | "run" },
): Promise<BootResult> {
  checkGoal(run);
  return workOnRun(store, run, "boot", options, async (context, now) => {
    checkGoal(now);
    const startedAt = context.clock.now();
    const assignments = await MachineAssignments.read(context);
    const agenda = await unfinishedWork(context, assignments);
    const nothing = agenda.size === 0 && context.dropped.length === 0 && now.state === "ready";
    const end = nothing
      ? { state: now.state, failures: [], cloudUnreachable: false, unused: [], aborted: null }
      : await withSelfAbort(context, options.verb ?? "boot", options.signal, (hooks) =>
          runAgenda(context, assignments, agenda, {
            verb: "resume",
            state: "booting",
            startedAt,
            force: false,
            ...hooks,
          }),
        );
    return { run: now.name, ...end, ms: context.clock.now() - startedAt };
  });
}

/** The unfinished tasks. Each cloud is asked once which machines are gone. */
async function unfinishedWork(context: RunContext, assignments: MachineAssignments): Promise<Agenda> {
  const tasks = new Map<Service, Task>();
  for (const service of context.levels.flat()) {
    const record = context.records.get(service.id);
    const task = record === undefined ? null : unfinishedTask(assignments, service, record);
    if (task !== null) tasks.set(service, task);
  }
  const findings = await survey(context, assignments, [...tasks.keys()], () => "cloud");
  const agenda = new Agenda();
  for (const [service, task] of tasks) {
    const repaired = repairUnfinished(service, task, findings.get(service) as ServiceFinding);
    agenda.add(service, isTask(repaired) ? repaired : task);
  }
  return agenda;
}
