/** Waits for machines to have an address: one question a cloud for all that are waited for, never one a machine. */
import { setTimeout as sleep } from "node:timers/promises";

import { DriverError, type Driver, type MachineStatus } from "../drivers/driver.js";

/** How often the cloud is asked, in milliseconds. */
const POLL_MS = 1_000;
/** How long a cloud may take to give a launched machine an address, in milliseconds. */
const ADDRESS_DEADLINE_MS = 15 * 60_000;

/** A machine that has an address. */
export type ReachableMachine = MachineStatus & { readonly host: string; readonly access: NonNullable<MachineStatus["access"]> };

interface Waiting {
  readonly deadline: number;
  readonly resolve: (machine: ReachableMachine) => void;
  readonly reject: (error: Error) => void;
}

export class MachineWatch {
  private readonly waiting = new Map<string, Waiting>();
  private polling = false;

  constructor(private readonly driver: Driver, private readonly stop: AbortSignal) {}

  /** The machine, once it is running and has an address. @throws DriverError if it ends before, or has none in time. */
  async reachable(launched: MachineStatus): Promise<ReachableMachine> {
    if (isReachable(launched)) return launched;
    return new Promise((resolve, reject) => {
      this.waiting.set(launched.id, { deadline: Date.now() + ADDRESS_DEADLINE_MS, resolve, reject });
      if (!this.polling) void this.poll();
    });
  }

  private async poll(): Promise<void> {
    this.polling = true;
    while (this.waiting.size > 0) {
      await sleep(POLL_MS);
      const ids = [...this.waiting.keys()];
      try {
        const machines = await this.driver.describe(ids, this.stop);
        ids.forEach((id, index) => this.settle(id, machines[index]));
      } catch (error) {
        for (const id of ids) this.fail(id, error as Error);
      }
    }
    this.polling = false;
  }

  private settle(id: string, machine: MachineStatus | undefined): void {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return;
    if (isReachable(machine)) {
      this.waiting.delete(id);
      waiting.resolve(machine);
    } else if (machine === undefined || machine.state === "terminated" || machine.state === "stopped") {
      this.fail(id, new DriverError(`machine ${id} went to "${machine?.state ?? "nowhere"}" before it could be reached${machine?.reason ? `: ${machine.reason}` : ""}`));
    } else if (Date.now() > waiting.deadline) {
      this.fail(id, new DriverError(`machine ${id} has no address after ${ADDRESS_DEADLINE_MS / 60_000} minutes (state "${machine.state}")`));
    }
  }

  private fail(id: string, error: Error): void {
    this.waiting.get(id)?.reject(error);
    this.waiting.delete(id);
  }
}

function isReachable(machine: MachineStatus | undefined): machine is ReachableMachine {
  return machine !== undefined && machine.state === "running" && machine.host !== null && machine.access !== null;
}
