/**
 * Machines that a cloud has and no service: their service is gone, or has another machine. Two machines of one launch
 * request may exist if a cloud hid the first one from a launcher.
 */
import type { MachineStatus } from "../../drivers/contract/driver.js";
import type { OrphanedMachine } from "../../model/statusReport.js";
import { warning } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";

/** Recorded machines that have not ended: the driver's id by the key of the launch request; null: not known yet. */
export type LiveMachines = ReadonlyMap<string, string | null>;

/** Why no live service has the machine, or null if one has it, or may have it. */
export function orphanReason(
  { id, key, mark }: MachineStatus,
  live: LiveMachines,
  ids: ReadonlySet<string>,
): string | null {
  if (ids.has(id)) return null;
  const other = key === null ? undefined : live.get(key);
  // A launcher may be about to learn the machine's id.
  if (other === null) return null;
  if (mark === null) return "it belongs to no live service";
  const { service, runName } = mark;
  return other === undefined
    ? `no live service ${service} of run ${runName} has it`
    : `it was launched twice: service ${service} of run ${runName} has ${other}`;
}

/**
 * The orphaned machines of a run, at clouds that may hide new machines: others show a launcher every machine, and it
 * makes no second one. A cloud that does not answer gets a warning, since the check of its services reports it too.
 */
export async function orphansOf(context: RunContext, assignments: MachineAssignments): Promise<OrphanedMachine[]> {
  const live = new Map(
    [...context.byId.values()].flatMap((service) => {
      const machine = assignments.machine(service);
      return machine === null ? [] : [[machine.key, machine] as const];
    }),
  );
  const byKey = new Map([...live].map(([key, { driverId }]) => [key, driverId]));
  const ids = new Set([...byKey.values()].filter((id) => id !== null));
  const clouds = new Set([...live.values()].map(({ cloud }) => cloud));
  const found = await Promise.all([...clouds].map((cloud) => listed(context, cloud)));
  return found.flat().flatMap(({ cloud, machine }) => {
    const message = machine.state === "terminated" ? null : orphanReason(machine, byKey, ids);
    return message === null ? [] : [{ service: machine.mark?.service ?? "", cloud, id: machine.id, message }];
  });
}

async function listed(context: RunContext, cloud: string): Promise<{ cloud: string; machine: MachineStatus }[]> {
  try {
    const driver = await context.clouds.driver(cloud);
    if ((driver.visibilityMs ?? 0) === 0) return [];
    const scope = { installation: await context.store.installation(), run: context.run.uid };
    return (await driver.list(scope, context.stop)).map((machine) => ({ cloud, machine }));
  } catch (error) {
    const message = `cloud "${cloud}" cannot list the run's machines: ${(error as Error).message}`;
    context.emit(warning(context, null, message));
    return [];
  }
}
