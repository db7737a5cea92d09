/**
 * What each RunInstances call asked for, kept on disk from before the call until the run is over: a call for many
 * machines gives all of them the same tags, so this is what tells whose each machine is, whatever became of the
 * launcher between the call and the tags of each machine.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import type { Instance } from "@aws-sdk/client-ec2";

import type { LaunchRequest } from "../contract/driver.js";

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
  /** When the cloud was asked last, or when it was known that the answer is lost, in milliseconds since the epoch. */
  readonly askedAt: number;
  /** Ids of the machines, in the order of the members, as far as they are known. */
  readonly ids: readonly (string | null)[];
  /** Whether it is certain that no member without an id gets a machine by this call any more. */
  readonly settled: boolean;
  /** Whether the plan gives its machines a name of its own. */
  readonly named: boolean;
  /** Whether all of its machines have the tags that are each one's own. */
  readonly tagged: boolean;
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

/** The batches of an installation, a directory a run and a file a batch. Only the run's launcher writes. */
export class BatchFile {
  private readonly known = new Map<string, Map<string, Batch>>();

  /** @param permit rejects when the run is another launcher's by now. */
  constructor(
    private readonly directory: string,
    private readonly permit: () => Promise<void> = async () => undefined,
  ) {}

  /**
   * To be awaited before a batch is noted. What is noted is looked up after that and written in the same turn, so that
   * nobody else writes in between. @throws what `permit` throws
   */
  permitted(): Promise<void> {
    return this.permit();
  }

  /** Notes a batch, on disk when this returns: only right after `permitted`. @throws an error of the file system */
  write(batch: Batch): void {
    const directory = this.directoryOf(batch.run);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const draft = join(directory, `.${batch.id}`);
    writeFileSync(draft, JSON.stringify(batch), { mode: 0o600, flush: true });
    renameSync(draft, join(directory, `${batch.id}.json`));
    const handle = openSync(directory, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    this.of(batch.run).set(batch.id, batch);
  }

  /** A run's batch as it is noted, or null. Another process may have written it meanwhile. */
  find(run: string, id: string): Batch | null {
    return this.of(run).get(id) ?? this.reread(run).get(id) ?? null;
  }

  /** All batches of a run. */
  all(run: string): Batch[] {
    return [...this.of(run).values()];
  }

  /** When the call was made that gave this machine, in milliseconds since the epoch; null if no batch has it. */
  askedFor(id: string): number | null {
    const batch = this.runs()
      .flatMap((run) => this.all(run))
      .find(({ ids }) => ids.includes(id));
    return batch?.askedAt ?? null;
  }

  /** Reads a run's batches again, which another launcher may have written. */
  reread(run: string): Map<string, Batch> {
    this.known.delete(run);
    return this.of(run);
  }

  /** Forgets a run that has no machine any more. */
  remove(run: string): void {
    rmSync(this.directoryOf(run), { recursive: true, force: true });
    this.known.delete(run);
  }

  private of(run: string): Map<string, Batch> {
    const known = this.known.get(run) ?? new Map(this.read(run).map((batch) => [batch.id, batch]));
    this.known.set(run, known);
    return known;
  }

  private read(run: string): Batch[] {
    const files = entries(this.directoryOf(run)).filter((file) => file.endsWith(".json"));
    return files.map((file) => JSON.parse(readFileSync(join(this.directoryOf(run), file), "utf8")) as Batch);
  }

  private runs(): string[] {
    return entries(this.directory).map((name) => decodeURIComponent(name));
  }

  private directoryOf(run: string): string {
    return join(this.directory, encodeURIComponent(run).replace(/^\./, "%2E"));
  }
}

/** What is in a directory; nothing if there is none. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
