/**
 * A run's machines as the cloud shows them, combined with the recorded data: the service of each, and its identity at
 * the first connection.
 */
import type { Instance } from "@aws-sdk/client-ec2";

import type { Clock } from "../../time/clock.js";
import { DriverError, isInScope, LostReplyError, type MachineStatus, type MarkScope } from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import { placed, type Batch, type Batches } from "./batches.js";
import { statusOf, tag, TAG, type AddressChoice, type Membership } from "./machines.js";
import type { Tagger } from "./tagger.js";

const NOT_GONE = ["pending", "running", "stopping", "stopped"];

export interface FleetParts {
  readonly api: Ec2Api;
  readonly book: Batches;
  readonly clock: Clock;
  /** How long the cloud may hide a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  readonly address: AddressChoice;
  /** Null if the command is read-only: nothing is changed in the cloud or recorded. */
  readonly tagger: Tagger | null;
}

export class Fleet {
  private readonly api: Ec2Api;
  readonly book: Batches;

  /** Machines that are to have an Elastic IP, by id. */
  private readonly elastic = new Set<string>();
  /** Runs whose machines were already checked for missing tags. */
  private readonly cared = new Set<string>();

  constructor(private readonly parts: FleetParts) {
    this.api = parts.api;
    this.book = parts.book;
  }

  /**
   * All machines of a run, including terminated ones that the cloud still shows. Records which request each belongs to.
   * @throws DriverError if a machine cannot be assigned to a request: a new machine could be a second one for the same
   * request
   */
  async ofRun(run: string, signal: AbortSignal): Promise<MachineStatus[]> {
    const machines = await this.api.find([{ Name: `tag:${TAG.run}`, Values: [run] }], signal);
    await this.noteAll(run, machines);
    await this.completeRun(run);
    const told = await this.told(machines);
    const orphan = told.find(({ key, state }) => key === null && state !== "terminated");
    if (orphan !== undefined)
      throw new DriverError(
        `machine ${orphan.id} of this run belongs to no known request: ` +
          "the driver's files about it are lost. Restore them, or end it with bootlevel clean",
      );
    return [...told, ...(await this.unseen(run, machines, signal))];
  }

  /**
   * Every machine with these marks that is not gone. The list must be complete, because callers act on missing
   * machines.
   * @throws LostReplyError while a call may have launched machines that the cloud does not show yet
   */
  async list({ installation, run }: MarkScope, signal: AbortSignal): Promise<MachineStatus[]> {
    const { clock, tagger, visibilityMs } = this.parts;
    const askedAt = clock.now();
    const machines = await this.api.find(
      [
        { Name: `tag:${TAG.installation}`, Values: [installation] },
        ...(run === null ? [] : [{ Name: `tag:${TAG.run}`, Values: [run] }]),
        { Name: "instance-state-name", Values: NOT_GONE },
      ],
      signal,
    );
    if (run !== null && tagger !== null) {
      await this.noteAll(run, machines);
      const isDoubtful = (batch: Batch) =>
        !batch.settled && batch.ids.includes(null) && askedAt < Math.min(batch.askedAt, askedAt) + visibilityMs;
      if ((await this.book.all(run)).some(isDoubtful))
        throw new LostReplyError(
          "RunInstances: the answer to an earlier call was lost, and the cloud may not show its machines yet",
        );
    }
    const told = await this.told(machines);
    if (run === null) return told;
    const unseen = await this.unseen(run, machines, signal);
    const scope = { installation, run };
    return [
      ...told,
      ...unseen.filter(({ state, mark }) => state !== "terminated" && mark !== null && isInScope(mark, scope)),
    ];
  }

  /**
   * Machines of a run that answers have named and that a search by tags does not show. A cloud may hide a machine for a
   * while: the answer that is written down is believed until the machine must be visible.
   */
  private async unseen(run: string, shown: readonly Instance[], signal: AbortSignal): Promise<MachineStatus[]> {
    const { clock, visibilityMs } = this.parts;
    const known = new Set(shown.map(({ InstanceId }) => InstanceId));
    const named = new Map<string, Membership>();
    for (const { ids, members, hostKeys, askedAt } of await this.book.all(run)) {
      const now = clock.now();
      if (now >= Math.min(askedAt, now) + visibilityMs) continue;
      ids.forEach((id, place) => {
        const member = members[place];
        if (id !== null && member !== undefined && !known.has(id)) named.set(id, { member, hostKeys });
      });
    }
    if (named.size === 0) return [];
    const found = await this.api.machines([...named.keys()], signal);
    return [...named].map(([id, membership]) => {
      const machine: Instance = found.get(id) ?? { InstanceId: id };
      const status = statusOf(machine, this.parts.address, membership);
      return { ...status, mark: status.mark ?? membership.member.mark };
    });
  }

  /** Whether a machine that was seen is to have an Elastic IP. */
  wantsAddress(id: string): boolean {
    return this.elastic.has(id);
  }

  /** The machines that the cloud knows, by id. */
  async describe(ids: readonly string[], signal: AbortSignal): Promise<Map<string, MachineStatus>> {
    const machines = await this.api.machines([...new Set(ids)], signal);
    for (const run of new Set([...machines.values()].map((machine) => tag(machine, TAG.run))))
      if (run !== null) await this.completeRun(run);
    const told = await this.told([...machines.values()]);
    return new Map(told.map((machine) => [machine.id, machine]));
  }

  /** Records the answer to a batch's call: this call launches no further machine. */
  async launched(batch: Batch, machines: readonly Instance[]): Promise<MachineStatus[]> {
    await this.book.permitted();
    this.complete(await this.note(batch, machines, true));
    return this.told(machines, batch);
  }

  /** @param answered the batch whose call returned these machines. The answer does not always include their tags. */
  private async told(machines: readonly Instance[], answered: Batch | null = null): Promise<MachineStatus[]> {
    const memberships = new Map<string, Membership>();
    const found =
      answered === null
        ? await this.batches(machines)
        : new Map([[(await this.book.find(answered.run, answered.id)) ?? answered, [...machines]]]);
    for (const [batch, own] of found) {
      placed(batch, own).forEach((id, place) => {
        const member = batch.members[place];
        if (id === null || member === undefined) return;
        memberships.set(id, { member, hostKeys: batch.hostKeys });
      });
    }
    for (const machine of machines)
      if (machine.InstanceId !== undefined && tag(machine, TAG.elastic) !== null) this.elastic.add(machine.InstanceId);
    return machines.map((machine) => {
      const membership = memberships.get(machine.InstanceId ?? "") ?? null;
      const status = statusOf(machine, this.parts.address, membership);
      return membership === null || status.mark !== null ? status : { ...status, mark: membership.member.mark };
    });
  }

  /** Adds the individual tags to machines that were launched together, even if their launcher died before that. */
  private async completeRun(run: string): Promise<void> {
    if (this.cared.has(run)) return;
    this.cared.add(run);
    for (const batch of await this.book.all(run)) if (!batch.tagged) this.complete(batch);
  }

  private complete(batch: Batch): void {
    const { tagger } = this.parts;
    if (tagger === null || batch.tagged) return;
    tagger.add(batch, async (tags) => {
      await this.book.permitted();
      const known = await this.book.find(batch.run, batch.id);
      if (known === null) return;
      // Machines that appear later are tagged then.
      const isDone = (now: Batch) => now.settled && now.ids.every((id) => id === null || batch.ids.includes(id));
      const isWhole = tags === batch.members.length;
      await this.book.change(known, (now) =>
        isWhole
          ? isDone(now)
            ? { ...now, tagged: true }
            : null
          : { ...now, tags: Math.max(now.tags ?? 0, tagsOf(now, batch, tags)) },
      );
    });
  }

  private async batches(machines: readonly Instance[]): Promise<Map<Batch, Instance[]>> {
    const members = new Map<string, { readonly run: string; readonly id: string; readonly own: Instance[] }>();
    for (const machine of machines) {
      const [run, id] = [tag(machine, TAG.run), tag(machine, TAG.batch)];
      if (run === null || id === null) continue;
      const known = members.get(`${run}/${id}`);
      if (known === undefined) members.set(`${run}/${id}`, { run, id, own: [machine] });
      else known.own.push(machine);
    }
    const found = new Map<Batch, Instance[]>();
    for (const { run, id, own } of members.values()) {
      const batch = await this.book.find(run, id);
      if (batch !== null) found.set(batch, own);
    }
    return found;
  }

  private async noteAll(run: string, machines: readonly Instance[]): Promise<void> {
    await this.book.permitted();
    await this.book.reread(run);
    for (const [batch, members] of await this.batches(machines)) await this.note(batch, members, false);
  }

  /** @param answered whether these are all machines that the batch's call gives. @returns the batch as it is now */
  private async note(batch: Batch, machines: readonly Instance[], answered: boolean): Promise<Batch> {
    let isNew = false;
    const noted = await this.book.change(batch, (now) => {
      const ids = placed(now, machines);
      const settled = answered || now.settled || ids.every((id) => id !== null);
      isNew = settled !== now.settled || ids.some((id, place) => id !== now.ids[place]);
      // The cloud may hide what it has launched from now on, however long it took to answer.
      const askedAt = answered ? Math.max(now.askedAt, this.parts.clock.now()) : now.askedAt;
      return isNew ? { ...now, ids, settled, askedAt } : null;
    });
    if (isNew && !batch.settled && !answered) this.complete(noted);
    return noted;
  }
}

/** How many leading members are tagged: a machine that was noted since then is not. */
function tagsOf(now: Batch, then: Batch, tags: number): number {
  const changed = now.ids.findIndex((id, place) => id !== then.ids[place]);
  return changed === -1 ? tags : Math.min(tags, changed);
}
