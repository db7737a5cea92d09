/** What a simulated machine is at a moment: everything was drawn at its launch, so time alone tells. */
import type { MachineStatus } from "../contract/driver.js";
import type { MachineRow } from "./cloudFile.js";
import { missingMachine } from "../shared/missingMachine.js";

/** When the machine was or will be gone, and why; null if never. */
export function end(machine: MachineRow): { readonly at: number; readonly reason: string } | null {
  const { terminatedAt, diesAt } = machine;
  if (diesAt !== null && (terminatedAt === null || diesAt < terminatedAt))
    return { at: diesAt, reason: "InstanceFailure: the simulated machine died" };
  return terminatedAt === null ? null : { at: terminatedAt, reason: "UserInitiatedShutdown: terminated on request" };
}

/** Why no program reaches the machine now, or null if one does. */
export function unreachable(machine: MachineRow, now: number): string | null {
  const ending = end(machine);
  if (ending !== null && ending.at <= now) return `it is terminated (${ending.reason})`;
  if (now < machine.runningAt) return "it is pending";
  return machine.outages.some(([from, until]) => from <= now && now < until) ? "it does not answer" : null;
}

/** When the next thing happens to the machine by itself after `now`; Infinity if nothing does. */
export function nextChange(machine: MachineRow, now: number): number {
  const moments = [machine.runningAt, machine.diesAt ?? Infinity, ...machine.outages.flat()];
  return Math.min(...moments.filter((moment) => moment > now), Infinity);
}

/** What the cloud says of it. */
export function describe(machine: MachineRow, cloud: string, now: number): MachineStatus {
  const { id, key, mark, address } = machine;
  const ending = end(machine);
  if (ending !== null && ending.at <= now && (machine.terminatedAt !== null || machine.visibleAt <= now))
    return { ...unknown(id), key, mark, state: "terminated", reason: ending.reason };
  if (now < machine.visibleAt) return unknown(id);
  if (now < machine.runningAt) return { ...unknown(id), key, mark, state: "pending", reason: "" };
  return {
    id,
    key,
    mark,
    state: "running",
    host: address,
    privateHost: address,
    hostname: mark.service,
    access: { kind: "driver", cloud, id },
    reason: "",
  };
}

/** A machine that the cloud does not know, or does not show yet. */
export function unknown(id: string): MachineStatus {
  return missingMachine(id, "unknown", `InvalidInstanceID.NotFound: there is no machine ${id}`);
}
