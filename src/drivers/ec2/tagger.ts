/**
 * Gives machines that were launched together the tags that are each one's own, while the launch goes on: nothing waits
 * for it but the end.
 */
import pLimit from "p-limit";

import type { Clock } from "../../time/clock.js";
import { isLostReplyError } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import type { Batch, Member } from "./batches.js";
import { isNotFound } from "./errors.js";
import { ownTags } from "./machines.js";

const CALLS_AT_A_TIME = 4;
/** Milliseconds before a machine is tagged again that the cloud does not show yet, or whose answer was lost. */
const PAUSE_MS = 2_000;
/** How long a machine is tried for at least, in milliseconds. */
const PATIENCE_MS = 10_000;

export interface TaggerParts {
  readonly api: Ec2Api;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  /** How long the cloud may not show a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
}

export class Tagger {
  private readonly limit = pLimit(CALLS_AT_A_TIME);
  private readonly stop = new AbortController();
  /** By machine: whether it has its tags. */
  private readonly known = new Map<string, Promise<boolean>>();
  private readonly work = new Set<Promise<void>>();
  private warned = false;

  constructor(private readonly parts: TaggerParts) {}

  /**
   * Tags the machines of a batch that are known, soon; each once.
   * @param onDone told when all of them have their tags.
   */
  add(batch: Batch, onDone: () => Promise<void>): void {
    // One that the cloud does not show although it must by now is gone.
    const until = Math.max(batch.askedAt + this.parts.visibilityMs, this.parts.clock.now() + PATIENCE_MS);
    const tasks = batch.members.map((member, place) => this.one(batch.ids[place] ?? null, member, batch.named, until));
    const task = Promise.all(tasks)
      .then(async (done) => {
        if (done.every(Boolean)) await onDone();
      })
      .catch((error: unknown) => {
        this.failed(batch.ids.join(), error);
      });
    this.work.add(task);
    void task.finally(() => this.work.delete(task));
  }

  /**
   * Resolves when all machines have their tags, or as soon as the operator wants to stop: what is left is the next
   * command's.
   */
  async close(signal: AbortSignal): Promise<void> {
    const hurry = () => {
      this.stop.abort();
    };
    if (signal.aborted) hurry();
    signal.addEventListener("abort", hurry, { once: true });
    await Promise.all(this.work);
    signal.removeEventListener("abort", hurry);
  }

  /** @returns whether it has them, or does not exist. */
  private one(id: string | null, member: Member, named: boolean, until: number): Promise<boolean> {
    if (id === null) return Promise.resolve(true);
    const { Name, ...tags } = ownTags(member);
    const task =
      this.known.get(id) ??
      this.limit(() => this.tag(id, named || Name === undefined ? tags : { Name, ...tags }, until)).then(
        () => !this.stop.signal.aborted,
        (error: unknown) => {
          this.known.delete(id);
          this.failed(id, error);
          return isNotFound(error);
        },
      );
    this.known.set(id, task);
    return task;
  }

  private async tag(id: string, tags: Record<string, string>, until: number): Promise<void> {
    const { api, clock } = this.parts;
    for (;;) {
      if (this.stop.signal.aborted) return;
      try {
        await api.tag([id], tags, this.stop.signal);
        return;
      } catch (error) {
        const passing = isNotFound(error) || isLostReplyError(error);
        if (!passing || clock.now() > until) throw error;
        await clock.sleep(PAUSE_MS, this.stop.signal);
      }
    }
  }

  /** Whose the machine is stands on file: only people miss the tags. The next command tries again. */
  private failed(id: string, error: unknown): void {
    if (this.stop.signal.aborted || this.warned || isNotFound(error)) return;
    this.warned = true;
    this.parts.warn(`machine ${id} has no tags of its own yet: ${(error as Error).message}`);
  }
}
