/** Decides whether a machine is gone for good. */
import { type Driver, type MachineStatus } from "../../drivers/contract/driver.js";

/**
 * Whether a machine no longer exists: the cloud says so, or does not list a machine (launched at `since`) that it would
 * list by now. Times are in milliseconds since the epoch.
 */
export function isGone(
  machine: MachineStatus,
  since: number,
  driver: Pick<Driver, "visibilityMs">,
  now: number,
): boolean {
  if (machine.state === "unknown") return now >= since + (driver.visibilityMs ?? 0);
  return machine.state === "terminated";
}
