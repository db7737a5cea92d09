/**
 * Waits for machines to have an address: one question a cloud for all that are waited for, in the whole command, never
 * one a machine.
 */
import type { Clock } from "../../time/clock.js";
import { InterruptedError, pause } from "../run/failure.js";
import { DriverError, isDriverError, type Driver, type MachineStatus } from "../../drivers/contract/driver.js";
import { isGone } from "../clouds/isGone.js";

/** How often the cloud is asked: a pause is a fiftieth of what was waited already, so that a machine is
 * waited for a hundredth longer than it takes... */
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
const PAUSE_SHARE = 1 / 50;
/** ...and at least many times longer than the question took: a large fleet is no cause to ask without end. */
const PAUSE_OVER_QUESTION = 10;
/** How long a cloud may take to give a launched machine an address, in milliseconds. */
const ADDRESS_DEADLINE_MS = 15 * 60_000;

/** How long the cloud may fail to answer before everybody who waits is told so, in milliseconds. */
const SILENCE_MS = 2 * 60_000;

/** A machine that has an address. */
export type ReachableMachine = MachineStatus & {
  readonly host: string;
  readonly access: NonNullable<MachineStatus["access"]>;
};

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
  /** When the cloud is asked next, and when it has answered last. */
  private askAt = 0;
  private heardAt = 0;

  constructor(
    private readonly driver: Driver,
    private readonly clock: Clock,
    private readonly stop: AbortSignal,
  ) {}

  /**
   * The machine, once it is running and has an address.
   * @param since when it was launched.
   * @param onGone told, and waited for, when the machine does not exist any more, before the error.
   * @throws DriverError if it ends before, or has no address in time; InterruptedError when the operator wants to stop,
   *   or after `forget`.
   */
  async reachable(
    launched: MachineStatus,
    since: number,
    onGone: (reason: string) => Promise<void>,
  ): Promise<ReachableMachine> {
    if (isReachable(launched)) return launched;
    return new Promise((resolve, reject) => {
      const now = this.clock.now();
      this.waiting.set(launched.id, { since, deadline: now + ADDRESS_DEADLINE_MS, onGone, resolve, reject });
      // The cloud has just told of this machine.
      this.heardAt = now;
      // A machine that was just launched is asked for soon, however long others have been waited for.
      this.askAt = this.polling ? Math.min(this.askAt, now + SHORTEST_PAUSE_MS) : now + SHORTEST_PAUSE_MS;
      if (!this.polling) void this.poll();
    });
  }

  /** Nobody waits for the machine any more. */
  forget(id: string): void {
    this.fail(id, new InterruptedError());
  }

  private async poll(): Promise<void> {
    this.polling = true;
    while (this.waiting.size > 0) {
      try {
        await this.untilDue();
        const ids = [...this.waiting.keys()];
        if (ids.length > 0) await this.ask(ids);
      } catch (error) {
        // One question without an answer says nothing of the machines; a lost lease or an operator who stops says all.
        const passing = isDriverError(error) && !this.stop.aborted && this.clock.now() < this.heardAt + SILENCE_MS;
        if (!passing) for (const id of [...this.waiting.keys()]) this.fail(id, error as Error);
      }
    }
    this.polling = false;
  }

  /** Slept through in short pieces, since somebody who joins may want the question sooner. */
  private async untilDue(): Promise<void> {
    while (this.waiting.size > 0 && this.clock.now() < this.askAt)
      await pause(this.clock, Math.min(SHORTEST_PAUSE_MS, this.askAt - this.clock.now()), this.stop);
  }

  private async ask(ids: readonly string[]): Promise<void> {
    const askedAt = this.clock.now();
    try {
      const machines = await this.driver.describe(ids, this.stop);
      this.heardAt = this.clock.now();
      ids.forEach((id, index) => this.settle(id, machines[index]));
    } finally {
      this.askAt = this.clock.now() + this.pauseAfter(askedAt);
    }
  }

  private pauseAfter(askedAt: number): number {
    const now = this.clock.now();
    let youngest = 0;
    for (const { since } of this.waiting.values()) youngest = Math.max(youngest, since);
    return Math.min(
      LONGEST_PAUSE_MS,
      Math.max(SHORTEST_PAUSE_MS, (now - youngest) * PAUSE_SHARE, (now - askedAt) * PAUSE_OVER_QUESTION),
    );
  }

  private settle(id: string, machine: MachineStatus | undefined): void {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return;
    if (isReachable(machine)) {
      this.waiting.delete(id);
      waiting.resolve(machine);
    } else if (
      machine === undefined ||
      machine.state === "stopped" ||
      isGone(machine, waiting.since, this.driver, this.clock.now())
    ) {
      const error = new DriverError(
        `machine ${id} went to "${machine?.state ?? "nowhere"}" before it could be reached${machine?.reason ? `: ${machine.reason}` : ""}`,
      );
      this.waiting.delete(id);
      // A stopped machine is of no use either, but it is there: it must be destroyed, not forgotten.
      if (machine?.state === "stopped") waiting.reject(error);
      else waiting.onGone(error.message).then(() => waiting.reject(error), waiting.reject);
    } else if (this.clock.now() > waiting.deadline) {
      this.fail(
        id,
        new DriverError(
          `machine ${id} has no address after ${ADDRESS_DEADLINE_MS / 60_000} minutes (state "${machine.state}")`,
        ),
      );
    }
  }

  private fail(id: string, error: Error): void {
    this.waiting.get(id)?.reject(error);
    this.waiting.delete(id);
  }
}

/** Whether a machine runs and has an address. */
export function isReachable(machine: MachineStatus | undefined): machine is ReachableMachine {
  return machine !== undefined && machine.state === "running" && machine.host !== null && machine.access !== null;
}
