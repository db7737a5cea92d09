/** Waits for machines to have an address: one question a cloud for all that are waited for, never one a machine. */
import type { Clock } from "../../time/clock.js";
import { pause } from "../run/failure.js";
import { DriverError, type Driver, type MachineStatus } from "../../drivers/driver.js";

/** How often the cloud is asked, in milliseconds. */
const POLL_MS = 1_000;
/** How long a cloud may take to give a launched machine an address, in milliseconds. */
const ADDRESS_DEADLINE_MS = 15 * 60_000;

/** How long the cloud may fail to answer before everybody who waits is told so, in milliseconds. */
const SILENCE_MS = 2 * 60_000;

/** A machine that has an address. */
export type ReachableMachine = MachineStatus & { readonly host: string; readonly access: NonNullable<MachineStatus["access"]> };

interface Waiting {
  /** When the cloud launched it, or was asked to: milliseconds since the epoch. */
  readonly since: number;
  /** When nobody waits for it any longer. */
  readonly deadline: number;
  readonly onGone: (reason: string) => Promise<void>;
  readonly resolve: (machine: ReachableMachine) => void;
  readonly reject: (error: Error) => void;
}

export class MachineWatch {
  private readonly waiting = new Map<string, Waiting>();
  private polling = false;

  constructor(private readonly driver: Driver, private readonly clock: Clock, private readonly stop: AbortSignal) {}

  /**
   * The machine, once it is running and has an address.
   * @param since when it was launched.
   * @param onGone told, and waited for, when the machine does not exist any more, before the error.
   * @throws DriverError if it ends before, or has no address in time; InterruptedError when the operator wants to stop.
   */
  async reachable(launched: MachineStatus, since: number, onGone: (reason: string) => Promise<void>): Promise<ReachableMachine> {
    if (isReachable(launched)) return launched;
    return new Promise((resolve, reject) => {
      this.waiting.set(launched.id, { since, deadline: this.clock.now() + ADDRESS_DEADLINE_MS, onGone, resolve, reject });
      if (!this.polling) void this.poll();
    });
  }

  private async poll(): Promise<void> {
    this.polling = true;
    let heardAt = this.clock.now();
    while (this.waiting.size > 0) {
      const ids = [...this.waiting.keys()];
      try {
        await pause(this.clock, POLL_MS, this.stop);
        const machines = await this.driver.describe(ids, this.stop);
        heardAt = this.clock.now();
        ids.forEach((id, index) => this.settle(id, machines[index]));
      } catch (error) {
        // One question without an answer says nothing of the machines; a lost lease or an operator who stops says all.
        const passing = error instanceof DriverError && !this.stop.aborted && this.clock.now() < heardAt + SILENCE_MS;
        if (!passing) for (const id of ids) this.fail(id, error as Error);
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
    } else if (machine === undefined || machine.state === "stopped" || isGone(machine, waiting.since, this.driver, this.clock.now())) {
      const error = new DriverError(`machine ${id} went to "${machine?.state ?? "nowhere"}" before it could be reached${machine?.reason ? `: ${machine.reason}` : ""}`);
      this.waiting.delete(id);
      // A stopped machine is of no use either, but it is there: it must be destroyed, not forgotten.
      if (machine?.state === "stopped") waiting.reject(error);
      else waiting.onGone(error.message).then(() => waiting.reject(error), waiting.reject);
    } else if (this.clock.now() > waiting.deadline) {
      this.fail(id, new DriverError(`machine ${id} has no address after ${ADDRESS_DEADLINE_MS / 60_000} minutes (state "${machine.state}")`));
    }
  }

  private fail(id: string, error: Error): void {
    this.waiting.get(id)?.reject(error);
    this.waiting.delete(id);
  }
}

/** Whether a machine does not exist any more: the cloud says so, or does not know a machine (launched at `since`) that it would show by now. */
export function isGone(machine: MachineStatus, since: number, driver: Pick<Driver, "visibilityMs">, now: number): boolean {
  if (machine.state === "unknown") return now >= since + (driver.visibilityMs ?? 0);
  return machine.state === "terminated";
}

/** Whether a machine runs and has an address. */
export function isReachable(machine: MachineStatus | undefined): machine is ReachableMachine {
  return machine !== undefined && machine.state === "running" && machine.host !== null && machine.access !== null;
}
