/** Takes services down and boots them again on new machines: the whole run, or the named services. */
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { checkNotAborted } from "./abort.js";
import { Agenda, type Task } from "../tasks/agenda.js";
import type { BootResult } from "./boot.js";
import { bringUp, endOf, type BringUpEnd } from "../bringUp/bringUp.js";
import { begin, finish } from "../bringUp/runAgenda.js";
import { followAddresses } from "../health/addresses.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { chooseServices } from "../run/selection.js";
import { StateError } from "../../state/contract/errors.js";
import { TakeDown } from "../tearDown/tearDown.js";
import { unfinishedPrograms } from "../programs/unfinished.js";

export interface RebootOptions extends WorkOptions {
  /** Services or replicas; empty for all. */
  readonly services: readonly string[];
  /** Skip the terminate programs. */
  readonly force: boolean;
}

/**
 * Reboots services: takes them down from the last level to the first, then brings them up with the run's plan and
 * variables. Services of later levels that refer to a changed attribute boot again too.
 * @throws RunBusyError; StateError for an unknown service, or a terminated or aborted run.
 */
export async function rebootRun(store: Store, run: RunRecord, options: RebootOptions): Promise<BootResult> {
  checkAlive(run);
  return workOnRun(store, run, "reboot", options, async (context, now) => {
    checkAlive(now);
    const startedAt = context.clock.now();
    const chosen = options.services.length === 0 ? context.levels.flat() : chooseServices(context, options.services);
    const down = agendaOf(chosen, { stage: "replace", reason: "a reboot was requested", resume: false });
    await begin(context, down, { verb: "reboot", state: "repairing", startedAt, force: options.force });
    const end = await finish(context, startedAt, await downAndUp(context, down, options.force));
    return { run: now.name, ...end, ms: context.clock.now() - startedAt };
  });
}

async function downAndUp(context: RunContext, down: Agenda, force: boolean): Promise<BringUpEnd> {
  const assignments = await MachineAssignments.read(context);
  await followAddresses(context, assignments);
  const takeDown = new TakeDown(
    context,
    assignments,
    unfinishedPrograms(await context.store.steps(context.run)),
    force,
  );
  for (const services of [...context.levels].reverse()) {
    const end = endOf(
      (await takeDown.retire(down.among(services), (service) => down.of(service) as Task)).filter(
        (error) => error !== null,
      ),
    );
    if (end !== null) return { ...end, unused: [], aborted: context.abort.current };
  }
  const up = agendaOf(down.among(context.levels.flat()), {
    stage: "launch",
    reason: "a reboot was requested",
    resume: false,
  });
  return bringUp(context, assignments, up, { force });
}

function agendaOf(services: ReturnType<typeof chooseServices>, task: Task): Agenda {
  const agenda = new Agenda();
  for (const service of services) agenda.add(service, task);
  return agenda;
}

function checkAlive(run: RunRecord): void {
  if (run.state === "terminated")
    throw new StateError(`run "${run.name}" is terminated`, "boot its plan again, as a new run");
  checkNotAborted(run);
}
