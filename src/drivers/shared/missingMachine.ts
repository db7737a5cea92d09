import type { MachineStatus } from "../contract/driver.js";

/** The status of a machine that is not there: nothing is known of it but why. */
export function missingMachine(
  id: string,
  state: Extract<MachineStatus["state"], "unknown" | "terminated">,
  reason: string,
): MachineStatus {
  return {
    id,
    key: null,
    mark: null,
    state,
    host: null,
    privateHost: null,
    hostname: null,
    access: null,
    reason,
  };
}
