/**
 * What each RunInstances call asked for, recorded from before the call until the run is over: a call for many
 * machines gives all of them the same tags, so this is what tells whose each machine is, whatever became of the
 * launcher between the call and the tags of each machine.
 */
import { createHash } from "node:crypto";

import type { Instance } from "@aws-sdk/client-ec2";

import { LostReplyError, type DriverState, type LaunchRequest, type StateKey } from "../contract/driver.js";

/** A machine that a call asked for. */
export type Member = Pick<LaunchRequest, "key" | "mark" | "replica">;

export interface Batch {
  /** The call's token, and the tag `bootlevel:batch` of its machines. */
  readonly id: string;
  readonly run: string;
  /** Where they are asked for, in words. */
  readonly place: string;
  /** How many machines the cloud must give, or none. */
  readonly least: number;
  /** Whose the machines are, by EC2's launch index. */
  readonly members: readonly Member[];
  /** Public halves of the host keys that its machines may have been given, the newest last. */
  readonly hostKeys: readonly string[];
  /**
   * When the cloud was asked last, when it answered, or when it was known that the answer is lost, in milliseconds since
   * the epoch.
   */
  readonly askedAt: number;
  /** Ids of the machines, in the order of the members, as far as they are known. */
  readonly ids: readonly (string | null)[];
  /** Whether it is certain that no member without an id gets a machine by this call any more. */
  readonly settled: boolean;
  /** Whether the plan gives its machines a name of its own. */
  readonly named: boolean;
  /** Whether all of its machines have the tags that are each one's own. */
  readonly tagged: boolean;
  /** How many of the members, from the first one on, are tagged. Missing: none. */
  readonly tags?: number;
}

/**
 * The batch that asks for these machines in a place: the same id whoever asks, until `earlier` batches of them have
 * come to nothing.
 */
export function newBatch(
  requests: readonly LaunchRequest[],
  place: string,
  earlier: number,
  parts: Pick<Batch, "least" | "hostKeys" | "askedAt" | "named">,
): Batch {
  const members = requests.map(({ key, mark, replica }) => ({ key, mark, replica }));
  const id = createHash("sha256")
    .update(JSON.stringify([members.map(({ key }) => key), place, earlier]))
    .digest("hex");
  return {
    id,
    run: members[0]?.mark.run ?? "",
    place,
    members,
    ids: members.map(() => null),
    settled: false,
    tagged: members.length === 1,
    ...parts,
  };
}

/**
 * The machines of a batch in its members' places: those that are noted, then by launch index, and, from a cloud whose
 * indexes tell nothing, in the order of their ids.
 */
export function placed(batch: Batch, machines: readonly Instance[]): (string | null)[] {
  const ids = [...batch.ids];
  const free = machines.filter(({ InstanceId: id }) => id !== undefined && !ids.includes(id));
  const claims = new Map<number, number>();
  for (const { AmiLaunchIndex: index = -1 } of free) claims.set(index, (claims.get(index) ?? 0) + 1);
  const rest: string[] = [];
  for (const { InstanceId: id = "", AmiLaunchIndex: index = -1 } of free) {
    if (claims.get(index) === 1 && ids[index] === null) ids[index] = id;
    else rest.push(id);
  }
  for (const id of rest.sort()) {
    const place = ids.indexOf(null);
    if (place !== -1) ids[place] = id;
  }
  return ids;
}

const GROUP = "batches/";

/** The batches of an installation, as the drivers' state has them. Only the run's launcher writes. */
export class Batches {
  private readonly known = new Map<string, Map<string, Batch>>();
  private readonly loading = new Map<string, Promise<Map<string, Batch>>>();
  /** How many writes of a run have begun or ended: what was read meanwhile is read again. */
  private readonly writes = new Map<string, number>();

  /** @param permit rejects when the run is another launcher's by now. */
  constructor(
    private readonly state: DriverState,
    private readonly permit: () => Promise<void> = async () => undefined,
  ) {}

  /** To be awaited before a run's batches are looked at to change them. @throws what `permit` throws */
  permitted(): Promise<void> {
    return this.permit();
  }

  /**
   * Records a batch right before its call. `permit` was awaited before; whoever froze after that, and was replaced,
   * does not overwrite what the next launcher has recorded: it is told that the batch is there.
   * @throws LostReplyError if another launcher has asked for the same machines, or may be about to
   */
  async add(batch: Batch): Promise<Batch> {
    const added = await this.writing(batch, () => this.state.insert(keyOf(batch), batch));
    if (added) return batch;
    await this.permit();
    await this.reread(batch.run);
    throw new LostReplyError("RunInstances: another launcher has asked for these machines meanwhile");
  }

  /**
   * Changes a batch as it is recorded now, or records it if it is not. Compared and set: what another launcher has
   * written after this one looked is looked at again, and written over only if this launcher may still write.
   * @param change gives null where nothing is to be changed.
   * @returns the batch as it is recorded then
   * @throws what `permit` throws
   */
  async change(batch: Batch, change: (now: Batch) => Batch | null): Promise<Batch> {
    for (;;) {
      const found = (await this.state.get(keyOf(batch))) as Batch | null;
      const next = change(found ?? batch);
      if (next === null) return found ?? batch;
      await this.permit();
      const isWritten = await this.writing(next, () =>
        found === null ? this.state.insert(keyOf(next), next) : this.state.replace(keyOf(next), next, found),
      );
      if (isWritten) return next;
    }
  }

  /** A run's batch as it is recorded, or null. Another process may have written it meanwhile. */
  async find(run: string, id: string): Promise<Batch | null> {
    return (await this.of(run)).get(id) ?? (await this.reread(run)).get(id) ?? null;
  }

  /** All batches of a run. */
  async all(run: string): Promise<Batch[]> {
    return [...(await this.of(run)).values()];
  }

  /** Whether a recorded call launched a machine for this key, or may have. */
  async mayHave(run: string, key: string): Promise<boolean> {
    return (await this.all(run)).some(({ members, ids, settled }) =>
      members.some((member, place) => member.key === key && (ids[place] !== null || !settled)),
    );
  }

  /** When the calls were made that gave these machines, in milliseconds since the epoch; by id, if a batch has it. */
  async askedFor(ids: readonly string[]): Promise<Map<string, number>> {
    const wanted = new Set(ids);
    const askedAt = new Map<string, number>();
    const look = (batches: Iterable<Batch>) => {
      for (const batch of batches)
        for (const id of batch.ids) if (id !== null && wanted.has(id)) askedAt.set(id, batch.askedAt);
    };
    for (const batches of this.known.values()) look(batches.values());
    // A damaged batch of another run is that run's trouble.
    const ignore = () => undefined;
    if (askedAt.size < wanted.size) look((await this.state.list(GROUP, ignore)).map(({ value }) => value as Batch));
    return askedAt;
  }

  /** Reads a run's batches again, which another launcher may have written. */
  async reread(run: string): Promise<Map<string, Batch>> {
    for (;;) {
      const writes = this.writes.get(run);
      const entries = await this.state.list(prefixOf(run));
      if (writes !== this.writes.get(run)) continue;
      const batches = new Map(entries.map(({ value }) => [(value as Batch).id, value as Batch]));
      this.known.set(run, batches);
      return batches;
    }
  }

  /** Forgets a run that has no machine any more. */
  async remove(run: string): Promise<void> {
    for (const { key } of await this.state.list(prefixOf(run))) await this.state.remove(key);
    this.known.delete(run);
  }

  private async of(run: string): Promise<Map<string, Batch>> {
    const known = this.known.get(run);
    if (known !== undefined) return known;
    const loading = this.loading.get(run) ?? this.reread(run).finally(() => this.loading.delete(run));
    this.loading.set(run, loading);
    return loading;
  }

  /** @returns what `write` does: whether the batch is recorded now. */
  private async writing(batch: Batch, write: () => Promise<boolean>): Promise<boolean> {
    this.count(batch.run);
    try {
      const isWritten = await write();
      if (isWritten) this.known.get(batch.run)?.set(batch.id, batch);
      return isWritten;
    } finally {
      this.count(batch.run);
    }
  }

  private count(run: string): void {
    this.writes.set(run, (this.writes.get(run) ?? 0) + 1);
  }
}

function prefixOf(run: string): StateKey {
  return `${GROUP}${run}/`;
}

function keyOf({ run, id }: Batch): StateKey {
  return `${prefixOf(run)}${id}`;
}
