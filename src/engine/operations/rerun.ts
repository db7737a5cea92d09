/** Runs a service's boot program, or only its ready program, again on its current machine. */
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { StateError } from "../../state/contract/errors.js";
import { Agenda } from "../tasks/agenda.js";
import type { BootResult } from "./boot.js";
import { runAgenda } from "../bringUp/runAgenda.js";
import { followAddresses } from "../health/addresses.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { hasMachine } from "../programs/runServiceProgram.js";
import { checkGoal } from "./repair.js";
import type { RunContext } from "../run/context.js";
import { chooseServices } from "../run/selection.js";
import type { Service } from "../run/service.js";

export interface RerunOptions extends WorkOptions {
  /** A service or one of its replicas. */
  readonly service: string;
  /** The first program to run again. */
  readonly step: "boot" | "ready";
}

/**
 * Runs a program of a service again, then verifies the service. Services of later levels that refer to a changed
 * attribute follow.
 * @throws RunBusyError; StateError for an unknown service or one without a machine.
 */
export async function rerunService(store: Store, run: RunRecord, options: RerunOptions): Promise<BootResult> {
  checkGoal(run);
  return workOnRun(store, run, "rerun", options, async (context, now) => {
    checkGoal(now);
    const startedAt = context.clock.now();
    const assignments = await MachineAssignments.read(context);
    const services = chooseServices(context, [options.service]);
    checkMachines(context, assignments, services);
    const agenda = new Agenda();
    for (const service of services)
      agenda.add(service, {
        stage: options.step === "boot" ? "boot" : "verify",
        reason: "it was requested",
        resume: false,
      });
    await followAddresses(context, assignments, agenda);
    const end = await runAgenda(context, assignments, agenda, {
      verb: "rerun",
      state: "repairing",
      startedAt,
      force: false,
    });
    return { run: now.name, ...end, ms: context.clock.now() - startedAt };
  });
}

function checkMachines(context: RunContext, assignments: MachineAssignments, services: readonly Service[]): void {
  const without = services.find((service) => !hasMachine(assignments, service));
  if (without !== undefined)
    throw new StateError(
      `${without.name} has no machine to run its programs on`,
      `give it one: bootlevel repair ${context.run.name}`,
    );
}
