/** Handles machines that were launched early when their levels never began. */
import type { RunEvent } from "../../model/events.js";
import type { Change } from "../../state/contract/changes.js";
import type { MachineRecord } from "../../state/contract/records.js";
import { destroyMachines } from "../tearDown/destroyMachines.js";
import { change, stateEvent, warning } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/** A machine that was launched before its level, which never began. */
export interface UnusedMachine {
  readonly service: string;
  readonly cloud: string;
  /** The driver's id, or the machine's key if the id is unknown. */
  readonly id: string;
  /** False: it is kept for `resume` or `repair`. */
  readonly ended: boolean;
}

/** The reasons that `history` shows. */
const REASON = "the run failed before its level began";
const NEVER = "the run failed before the cloud reported it";

/** The result for unused machines that are kept. */
export function keepUnused(assignments: MachineAssignments, services: readonly Service[]): UnusedMachine[] {
  return services.flatMap((service) => {
    const machine = assignments.machine(service);
    return machine === null ? [] : [unused(service, machine, false)];
  });
}

/**
 * Ends unused machines of a failed run: when they would be used is unknown. A machine that cannot be ended stays on
 * record, with a warning.
 */
export async function endUnused(
  context: RunContext,
  assignments: MachineAssignments,
  services: readonly Service[],
): Promise<UnusedMachine[]> {
  const machines = new Map(
    services.flatMap((service) => {
      const machine = assignments.machine(service);
      return machine === null ? [] : [[service, machine] as const];
    }),
  );
  if (machines.size === 0) return [];
  const { errors, ids } = await destroyMachines(context, [...machines.values()]);
  const changes: Change[] = [];
  const events: RunEvent[] = [];
  const results = [...machines].flatMap(([service, machine]) => {
    const error = errors.get(machine);
    const result = unused(service, machine, error === undefined, ids.get(machine));
    if (error !== undefined) events.push(warning(context, service, failure(context, result, error)));
    else {
      changes.push(
        { kind: "ended", key: machine.key, reason: ids.has(machine) ? REASON : NEVER },
        { kind: "service", id: service.id, state: "planned" },
      );
      if (ids.has(machine))
        events.push({
          at: context.clock.now(),
          type: "machine-terminated",
          service: service.name,
          cloud: machine.cloud,
          id: result.id,
        });
      events.push(stateEvent(context, service, "planned"));
    }
    return error !== undefined || ids.has(machine) ? [result] : [];
  });
  await change(context, changes, events);
  for (const [service, machine] of machines) if (!errors.has(machine)) assignments.ended(service);
  return results;
}

function unused(service: Service, machine: MachineRecord, ended: boolean, id = machine.driverId): UnusedMachine {
  return { service: service.name, cloud: machine.cloud, id: id ?? machine.key, ended };
}

function failure({ run }: RunContext, { id }: UnusedMachine, error: Error): string {
  return (
    `its machine ${id} was launched early, but its level never began and the machine could not be ended: ${error.message}. ` +
    `Use it with bootlevel repair ${run.name}, or end it with bootlevel terminate ${run.name}`
  );
}
