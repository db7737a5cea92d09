/** A machine that its cloud ended before anybody could use it. */
import { guardOf } from "../../errors/bootlevelError.js";
import { DriverError, type DiedMachine, type MachineStatus } from "../../drivers/contract/driver.js";

/** Another machine may be launched in its place: nothing has run on it, and its end is recorded. */
export class MachineDiedError extends DriverError {
  static override readonly code: string = "MACHINE_DIED";
  constructor(readonly machine: DiedMachine & Pick<MachineStatus, "state">) {
    const { id, state, reason } = machine;
    super(`machine ${id} went to "${state}" before it could be reached${reason === "" ? "" : `: ${reason}`}`);
  }
}

export const isMachineDiedError = guardOf(MachineDiedError);

/** @param status undefined if the cloud does not know the machine any more */
export function machineDied(id: string, status: MachineStatus | undefined): MachineDiedError {
  const { size = null, zone = null, subnet = null, state = "unknown", reason = "" } = status ?? {};
  return new MachineDiedError({ id, size, zone, subnet, state, reason });
}
