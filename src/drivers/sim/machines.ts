/**
 * The state of a simulated machine at a moment. Everything was drawn at its launch, so the state depends only on time.
 */
import type { MachineStatus } from "../contract/driver.js";
import type { MachineRow } from "./cloudFile.js";
import { missingMachine } from "../shared/missingMachine.js";

/** When and why the machine ended or will end. Null if never. */
export function end(machine: MachineRow): { readonly at: number; readonly reason: string } | null {
  const { terminatedAt, diesAt } = machine;
  if (diesAt !== null && (terminatedAt === null || diesAt < terminatedAt))
    return { at: diesAt, reason: "InstanceFailure: the simulated machine died" };
  return terminatedAt === null ? null : { at: terminatedAt, reason: "UserInitiatedShutdown: terminated on request" };
}

/** Why programs cannot reach the machine now, or null if they can. */
export function unreachable(machine: MachineRow, now: number): string | null {
  const ending = end(machine);
  if (ending !== null && ending.at <= now) return `it is terminated (${ending.reason})`;
  if (now < machine.runningAt) return "it is pending";
  return machine.outages.some(([from, until]) => from <= now && now < until) ? "it does not answer" : null;
}

/** The time of the machine's next scheduled change after `now`. Infinity if there is none. */
export function nextChange(machine: MachineRow, now: number): number {
  const moments = [machine.runningAt, machine.diesAt ?? Infinity, ...machine.outages.flat()];
  return Math.min(...moments.filter((moment) => moment > now), Infinity);
}

/** The machine's status as the cloud reports it. */
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

/** A machine that the cloud does not know, or still hides. */
export function unknown(id: string): MachineStatus {
  return missingMachine(id, "unknown", `InvalidInstanceID.NotFound: there is no machine ${id}`);
}
