/** Destroys machines, and waits until the cloud confirms that they are gone. */
import type { Clock } from "../../time/clock.js";
import { DriverError, isDriverError, type TerminateOutcome } from "../contract/driver.js";
import { chunks, withoutNamed, type Ec2Api } from "./api.js";
import { isNotFound, isRefusedError } from "./errors.js";

/** Milliseconds between two polls: the first pause, and the longest. Each pause is longer than the one before. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 15_000;
/** The timeout of a termination, in milliseconds. */
const GONE_MS = 10 * 60_000;
/**
 * How long a machine must be unknown to the cloud before it counts as gone: a new one may still be hidden. In
 * milliseconds.
 */
const UNKNOWN_MS = 30_000;
const MOST_IDS = 500;

export interface TerminationParts {
  readonly api: Ec2Api;
  readonly clock: Clock;
  /**
   * Until when the cloud may hide a machine that this process launched (milliseconds since the epoch). Null for all
   * others.
   */
  readonly hiddenUntil: (id: string) => number | null;
  readonly signal: AbortSignal;
}

/** Like `Driver.terminate`. */
export async function terminateMachines(ids: readonly string[], parts: TerminationParts): Promise<TerminateOutcome[]> {
  const termination = new Termination(ids, parts);
  await termination.wait();
  return ids.map((id) => {
    const error = termination.errors.get(id);
    return error === undefined ? { id, kind: "terminated" } : { id, kind: "failed", error };
  });
}

class Termination {
  readonly errors = new Map<string, Error>();
  private readonly pending: Map<string, { accepted: boolean; state: string }>;
  private readonly startedAt: number;

  constructor(
    ids: readonly string[],
    private readonly parts: TerminationParts,
  ) {
    this.pending = new Map(ids.map((id) => [id, { accepted: false, state: "unknown" }]));
    this.startedAt = parts.clock.now();
  }

  async wait(): Promise<void> {
    const { clock, signal } = this.parts;
    try {
      if (signal.aborted) return this.giveUp("interrupted");
      // Query first: a terminated machine has no tags any more, so a user who may terminate only by tags would be
      // refused.
      await this.look();
      await this.askUnseen([...this.pending].filter(([, { state }]) => state === "unknown").map(([id]) => id));
      for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.3)) {
        if (this.pending.size === 0) return;
        if (clock.now() > this.startedAt + GONE_MS) return this.giveUp(`not gone after ${GONE_MS / 60_000} minutes`);
        await clock.sleep(pause, signal);
        await this.look();
      }
    } catch (error) {
      if (!signal.aborted || isDriverError(error)) throw error;
      this.giveUp("interrupted");
    }
  }

  /**
   * Tries to terminate machines that are not visible: a new one may exist already. A refusal proves nothing, because
   * the machine may not exist.
   */
  private async askUnseen(ids: readonly string[]): Promise<void> {
    for (const part of chunks(ids, MOST_IDS)) {
      for (let rest: string[] | null = part; rest !== null && rest.length > 0;) rest = await this.askOnce(rest);
    }
  }

  /** @returns the ids to try again, without those that the refusal names. Null if nothing more can be done. */
  private async askOnce(ids: readonly string[]): Promise<string[] | null> {
    try {
      await this.parts.api.terminate(ids, this.parts.signal);
      for (const id of ids) (this.pending.get(id) as { accepted: boolean }).accepted = true;
      return null;
    } catch (error) {
      if (!isRefusedError(error)) throw error;
      return withoutNamed(ids, error.message).rest;
    }
  }

  private async ask(ids: readonly string[]): Promise<void> {
    for (const part of chunks(ids, MOST_IDS)) await this.askPart(part);
  }

  /** One machine that cannot be destroyed makes the cloud refuse the whole call, so the call is repeated without it. */
  private async askPart(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    try {
      await this.parts.api.terminate(ids, this.parts.signal);
      for (const id of ids) (this.pending.get(id) as { accepted: boolean }).accepted = true;
    } catch (error) {
      if (!isRefusedError(error)) throw error;
      const { rest, halves } = withoutNamed(ids, error.message);
      const refused = rest === null ? [] : ids.filter((id) => !rest.includes(id));
      if (!isNotFound(error)) for (const id of refused) this.fail(id, error);
      for (const part of rest === null ? halves : [rest]) await this.askPart(part);
    }
  }

  private async look(): Promise<void> {
    const { api, signal } = this.parts;
    const found = await api.machines([...this.pending.keys()], signal);
    const again: string[] = [];
    for (const [id, machine] of this.pending) {
      const state = found.get(id)?.State?.Name;
      machine.state = state ?? "unknown";
      if (state === "terminated" || (state === undefined && (machine.accepted || this.isShownByNow(id))))
        this.pending.delete(id);
      else if (state !== undefined && !machine.accepted) again.push(id);
    }
    await this.ask(again);
  }

  private isShownByNow(id: string): boolean {
    const { clock, hiddenUntil } = this.parts;
    return clock.now() >= (hiddenUntil(id) ?? this.startedAt + UNKNOWN_MS);
  }

  private fail(id: string, error: Error): void {
    this.errors.set(id, error);
    this.pending.delete(id);
  }

  private giveUp(why: string): void {
    for (const [id, { state }] of [...this.pending])
      this.fail(id, new DriverError(`machine ${id} is "${state}": ${why}`));
  }
}
