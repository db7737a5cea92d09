/** What becomes of machines that were started early, when the levels that they were for never began. */
import type { RunEvent } from "../../model/events.js";
import type { Change } from "../../state/contract/changes.js";
import type { MachineRecord } from "../../state/contract/records.js";
import { destroyMachines } from "../tearDown/destroyMachines.js";
import { change, stateEvent, warning } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/** A machine that was started before its level, which never began. */
export interface UnusedMachine {
  readonly service: string;
  readonly cloud: string;
  /** The driver's id, or the key of a machine whose id was never told. */
  readonly id: string;
  /** False: it is kept, and `resume` or `repair` uses it. */
  readonly ended: boolean;
}

/** What `history` tells of them. */
const REASON = "its level never began, since the run failed";
const NEVER = "the run failed before the cloud gave it";

/** Unused machines as a result tells them, when they are left where they are. */
export function keepUnused(assignments: MachineAssignments, services: readonly Service[]): UnusedMachine[] {
  return services.flatMap((service) => {
    const machine = assignments.machine(service);
    return machine === null ? [] : [unused(service, machine, false)];
  });
}

/**
 * Ends unused machines of a run that failed: nobody can say when they would be used. One that does not end stays on
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
  return `its machine ${id} was started early, its level never began, and it could not be ended: ${error.message}. A repair uses it: bootlevel repair ${run.name}, or end it with the run: bootlevel terminate ${run.name}`;
}
