/** Gives machines that were launched together the tags that are each one's own, while the launch goes on: nothing waits for it but the end. */
import type { Instance } from "@aws-sdk/client-ec2";
import pLimit from "p-limit";

import type { Clock } from "../../time/clock.js";
import { LostReplyError } from "../driver.js";
import type { Ec2Api } from "./api.js";
import type { Member } from "./batches.js";
import { isNotFound } from "./errors.js";
import { ownTags, tag } from "./machines.js";

const CALLS_AT_A_TIME = 4;
/** Milliseconds before a machine is tagged again that the cloud does not show yet, or whose answer was lost. */
const PAUSE_MS = 2_000;

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
  private readonly known = new Set<string>();
  private readonly work = new Set<Promise<void>>();
  private warned = false;

  constructor(private readonly parts: TaggerParts) {}

  /** Tags a machine, soon; once. */
  add(machine: Instance, member: Member): void {
    const id = machine.InstanceId ?? "";
    if (this.known.has(id)) return;
    this.known.add(id);
    const { Name, ...tags } = ownTags(member);
    const all = tag(machine, "Name") === null && Name !== undefined ? { Name, ...tags } : tags;
    const task = this.limit(() => this.tag(id, all)).catch((error: unknown) => { this.failed(id, error); });
    this.work.add(task);
    void task.finally(() => this.work.delete(task));
  }

  /** Resolves when all machines have their tags, or as soon as the operator wants to stop: what is left is the next command's. */
  async close(signal: AbortSignal): Promise<void> {
    const hurry = () => { this.stop.abort(); };
    if (signal.aborted) hurry();
    signal.addEventListener("abort", hurry, { once: true });
    await Promise.all(this.work);
    signal.removeEventListener("abort", hurry);
  }

  private async tag(id: string, tags: Record<string, string>): Promise<void> {
    const { api, clock, visibilityMs } = this.parts;
    for (const giveUp = clock.now() + visibilityMs; ;) {
      if (this.stop.signal.aborted) return;
      try {
        await api.tag([id], tags, this.stop.signal);
        return;
      } catch (error) {
        const passing = isNotFound(error) || error instanceof LostReplyError;
        if (!passing || clock.now() > giveUp) throw error;
        await clock.sleep(PAUSE_MS, this.stop.signal);
      }
    }
  }

  /** Whose the machine is stands on file: only people miss the tags. The next command tries again. */
  private failed(id: string, error: unknown): void {
    this.known.delete(id);
    if (this.stop.signal.aborted || this.warned || isNotFound(error)) return;
    this.warned = true;
    this.parts.warn(`machine ${id} has no tags of its own yet: ${(error as Error).message}`);
  }
}
