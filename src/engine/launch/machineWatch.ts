/** Waits until machines have an address. One query per cloud covers all waiting machines of the command. */
import type { Clock } from "../../time/clock.js";
import { InterruptedError, pause } from "../run/failure.js";
import { DriverError, isDriverError, type Driver, type MachineStatus } from "../../drivers/contract/driver.js";
import { isGone } from "../clouds/isGone.js";
import { isReachable, type ReachableMachine } from "../run/launchedMachine.js";
import { machineDied } from "./machineDied.js";

/**
 * How often the cloud is polled: a pause is a fiftieth of the time waited so far, so polling delays a machine by about
 * one percent...
 */
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
const PAUSE_SHARE = 1 / 50;
/** ...and at least this many times the duration of the query, so that a large fleet is not polled without end. */
const PAUSE_OVER_QUESTION = 10;
/** Time limit for a launched machine to get an address, in milliseconds. */
const ADDRESS_DEADLINE_MS = 15 * 60_000;

/** How long a machine may run without an address of which the driver says that it has none, in milliseconds. */
const NO_ADDRESS_MS = 15_000;

/** How long the cloud may fail to answer before all waits fail, in milliseconds. */
const SILENCE_MS = 2 * 60_000;

interface Waiting {
  /** "gone": it has an address, and is watched until somebody has used it. */
  readonly until: "address" | "gone";
  /** When the cloud launched it, or was asked to; milliseconds since the epoch. */
  readonly since: number;
  /** When the wait times out. */
  readonly deadline: number;
  readonly onGone: (reason: string) => Promise<void>;
  readonly resolve: (machine: ReachableMachine) => void;
  readonly reject: (error: Error) => void;
}

export class MachineWatch {
  private readonly waiting = new Map<string, Waiting>();
  /** When machines were first seen running without an address, by id. */
  private readonly withoutAddress = new Map<string, number>();
  private polling = false;
  /** When the cloud is polled next, and when it last answered. */
  private nextPollAt = 0;
  private lastAnswerAt = 0;

  constructor(
    private readonly driver: Driver,
    private readonly clock: Clock,
    private readonly stop: AbortSignal,
  ) {}

  /**
   * Resolves with the machine once it is running and has an address.
   * @param since when it was launched
   * @param onGone called and awaited before the error, when the machine no longer exists
   * @throws DriverError if it ends first or gets no address in time; InterruptedError when the operator stops the
   *   command, and after `forget`.
   */
  async reachable(
    launched: MachineStatus,
    since: number,
    onGone: (reason: string) => Promise<void>,
  ): Promise<ReachableMachine> {
    if (isReachable(launched)) return launched;
    return new Promise((resolve, reject) => {
      const now = this.clock.now();
      const deadline = now + ADDRESS_DEADLINE_MS;
      this.waiting.set(launched.id, { until: "address", since, deadline, onGone, resolve, reject });
      // The launch itself was an answer of the cloud.
      this.lastAnswerAt = now;
      // A new machine is polled soon, however long others have waited.
      this.nextPollAt = this.polling ? Math.min(this.nextPollAt, now + SHORTEST_PAUSE_MS) : now + SHORTEST_PAUSE_MS;
      if (!this.polling) void this.poll();
    });
  }

  /**
   * Watches a machine that has an address, until `forget`.
   * @param since when it was launched
   * @param onGone called and awaited before the error
   * @returns rejects with a `MachineDiedError` when the machine no longer exists, and with an `InterruptedError` after
   *   `forget`; never resolves
   */
  async ends(id: string, since: number, onGone: (reason: string) => Promise<void>): Promise<never> {
    return new Promise((_, reject) => {
      const unused = (): void => undefined;
      this.waiting.set(id, { until: "gone", since, deadline: Infinity, onGone, resolve: unused, reject });
      if (!this.polling) {
        this.lastAnswerAt = this.clock.now();
        this.nextPollAt = this.clock.now() + LONGEST_PAUSE_MS;
        void this.poll();
      }
    });
  }

  /**
   * Asks the cloud now, for all machines that are watched.
   * @returns whether this one is over: its watch rejects. False if the cloud does not answer.
   */
  async isOver(id: string): Promise<boolean> {
    try {
      await this.ask([...this.waiting.keys()]);
    } catch (error) {
      if (!isDriverError(error) || this.stop.aborted) throw error;
    }
    return !this.waiting.has(id);
  }

  /** Stops waiting for a machine. */
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
        // One failed query says nothing about the machines. A lost lease or a stop by the operator ends all waits.
        const passing = isDriverError(error) && !this.stop.aborted && this.clock.now() < this.lastAnswerAt + SILENCE_MS;
        if (!passing) for (const id of [...this.waiting.keys()]) this.giveUp(id, error as Error);
      }
    }
    this.polling = false;
  }

  /** Sleeps in short pieces, because a new machine may move the next poll forward. */
  private async untilDue(): Promise<void> {
    while (this.waiting.size > 0 && this.clock.now() < this.nextPollAt)
      await pause(this.clock, Math.min(SHORTEST_PAUSE_MS, this.nextPollAt - this.clock.now()), this.stop);
  }

  private async ask(ids: readonly string[]): Promise<void> {
    const askedAt = this.clock.now();
    try {
      const machines = await this.driver.describe(ids, this.stop);
      this.lastAnswerAt = this.clock.now();
      ids.forEach((id, index) => this.settle(id, machines[index]));
    } finally {
      this.nextPollAt = this.clock.now() + this.pauseAfter(askedAt);
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
      if (waiting.until === "gone") return;
      this.waiting.delete(id);
      waiting.resolve(machine);
    } else if (
      machine === undefined ||
      machine.state === "stopped" ||
      isGone(machine, waiting.since, this.driver, this.clock.now())
    ) {
      const error = machineDied(id, machine);
      this.waiting.delete(id);
      // A stopped machine is unusable but exists: it has to be destroyed, so it stays on record.
      if (machine?.state === "stopped") waiting.reject(new DriverError(error.message));
      else waiting.onGone(error.message).then(() => waiting.reject(error), waiting.reject);
    } else if (this.staysWithoutAddress(machine)) {
      this.fail(id, new DriverError(`machine ${id} cannot be reached: ${machine.noAddress ?? ""}`));
    } else if (this.clock.now() > waiting.deadline) {
      this.fail(
        id,
        new DriverError(
          `machine ${id} has no address after ${ADDRESS_DEADLINE_MS / 60_000} minutes (state "${machine.state}")`,
        ),
      );
    }
  }

  private staysWithoutAddress({ id, noAddress = null }: MachineStatus): boolean {
    if (noAddress === null) return false;
    const now = this.clock.now();
    const since = this.withoutAddress.get(id) ?? now;
    this.withoutAddress.set(id, since);
    return now >= since + NO_ADDRESS_MS;
  }

  /** A cloud that does not answer says nothing against a machine that has its address. */
  private giveUp(id: string, error: Error): void {
    if (this.waiting.get(id)?.until === "address") this.fail(id, error);
    else if (this.stop.aborted) this.waiting.delete(id);
  }

  private fail(id: string, error: Error): void {
    this.waiting.get(id)?.reject(error);
    this.waiting.delete(id);
  }
}
