/** Whether a machine is gone for good. */
import { type Driver, type MachineStatus } from "../../drivers/contract/driver.js";

/**
 * Whether a machine does not exist any more: the cloud says so, or does not know a machine (launched at `since`) that
 * it would show by now.
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
