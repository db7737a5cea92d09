/**
 * Gives machines that were launched together their individual tags, while the launch continues. Only `close` waits for
 * it.
 */
import pLimit from "p-limit";

import type { Clock } from "../../time/clock.js";
import { isLostReplyError } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import type { Batch, Member } from "./batches.js";
import { isNotFound } from "./errors.js";
import { ownTags } from "./machines.js";

const CALLS_AT_A_TIME = 4;
/**
 * Most calls that the end of a command waits for: some 5 seconds at Amazon's rate. The launch request of every machine
 * is recorded; its own tags are for people, and the next command goes on with them.
 */
const MOST_AT_END = 50;
/** Milliseconds before a retry for a machine that the cloud does not show yet, or after a lost answer. */
const PAUSE_MS = 2_000;
/** The shortest time for which tagging a machine is retried, in milliseconds. */
const PATIENCE_MS = 10_000;

export interface TaggerParts {
  readonly api: Ec2Api;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  /** How long the cloud may hide a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
}

export class Tagger {
  private readonly limit = pLimit(CALLS_AT_A_TIME);
  private readonly stop = new AbortController();
  /** By machine: whether it is tagged. */
  private readonly known = new Map<string, Promise<boolean>>();
  private readonly work = new Set<Promise<void>>();
  private warned = false;
  /** How many more calls may begin. */
  private left = Infinity;

  constructor(private readonly parts: TaggerParts) {}

  /**
   * Schedules the tagging of a batch's known machines, each once.
   * @param onDone called with the number of members, from the first one on, that are tagged then or have no machine.
   */
  add(batch: Batch, onDone: (tagged: number) => Promise<void>): void {
    // A machine that the cloud still does not show after this time is gone.
    const until = Math.max(batch.askedAt + this.parts.visibilityMs, this.parts.clock.now() + PATIENCE_MS);
    const { tags = 0 } = batch;
    const tasks = batch.members.map((member, place) =>
      place < tags ? Promise.resolve(true) : this.one(batch.ids[place] ?? null, member, batch.named, until),
    );
    const task = Promise.all(tasks)
      .then(async (done) => {
        const first = done.indexOf(false);
        if (first !== tags) await onDone(first === -1 ? done.length : first);
      })
      .catch((error: unknown) => {
        this.failed(batch.ids.join(), error);
      });
    this.work.add(task);
    void task.finally(() => this.work.delete(task));
  }

  /**
   * Resolves when all machines are tagged, or as many as can be soon, or as soon as the operator interrupts. The next
   * command tags the rest.
   */
  async close(signal: AbortSignal): Promise<void> {
    this.left = MOST_AT_END;
    const hurry = () => {
      this.stop.abort();
    };
    if (signal.aborted) hurry();
    signal.addEventListener("abort", hurry, { once: true });
    await Promise.all(this.work);
    signal.removeEventListener("abort", hurry);
  }

  /** @returns whether it is tagged, or does not exist. */
  private one(id: string | null, member: Member, named: boolean, until: number): Promise<boolean> {
    if (id === null) return Promise.resolve(true);
    const { Name, ...tags } = ownTags(member);
    const task =
      this.known.get(id) ??
      this.limit(() => this.tag(id, named || Name === undefined ? tags : { Name, ...tags }, until)).then(
        (isTagged) => isTagged && !this.stop.signal.aborted,
        (error: unknown) => {
          this.known.delete(id);
          this.failed(id, error);
          return isNotFound(error);
        },
      );
    this.known.set(id, task);
    return task;
  }

  /** @returns false if it is left to the next command. */
  private async tag(id: string, tags: Record<string, string>, until: number): Promise<boolean> {
    const { api, clock } = this.parts;
    for (;;) {
      if (this.stop.signal.aborted || this.left <= 0) return false;
      this.left -= 1;
      try {
        await api.tag([id], tags, this.stop.signal);
        return true;
      } catch (error) {
        const passing = isNotFound(error) || isLostReplyError(error);
        if (!passing || clock.now() > until) throw error;
        await clock.sleep(PAUSE_MS, this.stop.signal);
      }
    }
  }

  /** The machine's request is recorded, so only people miss the tags. The next command retries. */
  private failed(id: string, error: unknown): void {
    if (this.stop.signal.aborted || this.warned || isNotFound(error)) return;
    this.warned = true;
    this.parts.warn(`machine ${id} has no tags of its own yet: ${(error as Error).message}`);
  }
}
