/** What the record keeps of a machine that its cloud tells of. */
import type { MachineStatus } from "../../drivers/contract/driver.js";
import type { Change, LaunchedMachine } from "../../state/contract/changes.js";
import type { MachineAssignments } from "./machineAssignments.js";
import type { Service } from "./service.js";

/** A machine that has an address. */
export type ReachableMachine = MachineStatus & {
  readonly host: string;
  readonly access: NonNullable<MachineStatus["access"]>;
};

/** Whether a machine runs and has an address. */
export function isReachable(machine: MachineStatus | undefined): machine is ReachableMachine {
  return machine !== undefined && machine.state === "running" && machine.host !== null && machine.access !== null;
}

/** The part of a machine's status that is recorded. */
export function launchedMachine({ id: driverId, host, privateHost, hostname, access }: MachineStatus): LaunchedMachine {
  return { driverId, host, privateHost, hostname, access: access && JSON.stringify(access) };
}

/** The difference between the record and a machine's status; null without one. */
export function launchedChange(
  assignments: MachineAssignments,
  service: Service,
  status: MachineStatus,
): Change | null {
  const known = assignments.machine(service);
  // A cloud may not show a young machine yet. That does not invalidate what it reported before.
  if (known === null || (known.driverId !== null && status.state === "unknown")) return null;
  const machine = launchedMachine(status);
  const same =
    known.state === "running" &&
    (Object.keys(machine) as (keyof LaunchedMachine)[]).every((name) => known[name] === machine[name]);
  return same ? null : { kind: "launched", key: known.key, machine };
}
