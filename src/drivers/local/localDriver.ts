/**
 * The embedded default cloud: a machine is a directory of its own with a loopback address of its own, and the processes
 * started in it. What a machine's programs leave running is found by its tag (see `machines/local/taggedProcesses.ts`),
 * wherever it went.
 */
import { join } from "node:path";

import { isBootlevelError } from "../../errors/bootlevelError.js";
import { exists } from "../../files/exists.js";
import { isSystemError, storageWords, type StorageWords } from "../../files/storageFailure.js";
import { findTagged, killTagged, type TaggedProcess } from "../../machines/local/taggedProcesses.js";
import type { MachineConnection } from "../../machines/contract/connection.js";
import { openMachine, type LocalMachine as MachinePlace } from "../../machines/local/localMachine.js";
import { removeMachineDirectory } from "../../machines/local/machineDirectory.js";
import { LocalImages } from "./localImages.js";
import { MachineRecords, type LocalMachine } from "./machineRecords.js";
import {
  DriverError,
  isInScope,
  type ConnectOptions,
  type Driver,
  type DriverContext,
  type DriverDefinition,
  type ImageRequest,
  type LaunchOutcome,
  type LaunchRequest,
  type MachineStatus,
  type MarkScope,
  type TerminateOutcome,
} from "../contract/driver.js";
import { missingMachine } from "../shared/missingMachine.js";

/** How long processes have between SIGTERM and SIGKILL, in milliseconds. */
const GRACE_MS = 5_000;
class LocalDriver implements Driver {
  private readonly records: MachineRecords;
  private readonly images: LocalImages;

  constructor(private readonly context: DriverContext) {
    this.images = new LocalImages(join(context.stateDirectory, "images"));
    this.records = new MachineRecords(context, this.images);
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const known = new Map((await this.records.all()).map((machine) => [machine.key, machine]));
    return Promise.all(
      requests.map(async (request): Promise<LaunchOutcome> => {
        try {
          signal.throwIfAborted();
          const machine = known.get(request.key);
          if (machine !== undefined) await this.records.makeDirectories(machine, request.image);
          const launched = machine ?? (await this.records.create(request));
          return { key: request.key, kind: "launched", machine: await this.status(launched) };
        } catch (error) {
          const { message, remedy } = inWords(error, this.records.folder);
          const words = `no machine for ${request.mark.service}: ${message}`;
          return {
            key: request.key,
            kind: "failed",
            error: new DriverError(words, { cause: error, remedy }),
            leftover: null,
          };
        }
      }),
    );
  }

  async createImage({ machine, name }: ImageRequest): Promise<{ readonly id: string }> {
    return { id: await this.images.make(name, join(this.records.directory(machine), "home")) };
  }

  async deleteImage(id: string): Promise<void> {
    await this.images.remove(id);
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    const known = new Map((await this.records.all()).map((machine) => [machine.id, machine]));
    return Promise.all(
      ids.map(async (id) => {
        const machine = known.get(id);
        return machine ? this.status(machine) : gone(id);
      }),
    );
  }

  async terminate(ids: readonly string[]): Promise<TerminateOutcome[]> {
    const wanted = new Set(ids);
    const machines = (await this.records.all()).filter((machine) => wanted.has(machine.id));
    const tags = new Set(machines.map((machine) => machine.tag));
    const left = await killTagged(tags, { graceMs: GRACE_MS });
    const survivors = left.length === 0 ? new Map<string, TaggedProcess[]>() : await findTagged(tags);
    const failed = new Map<string, Error>();
    for (const machine of machines) {
      try {
        const alive = survivors.get(machine.tag) ?? [];
        if (alive.length > 0)
          throw new DriverError(
            `processes of ${machine.mark.service} cannot be ended: ${alive.map(({ pid }) => pid).join(", ")}`,
          );
        await removeMachineDirectory(this.records.directory(machine.id));
        await this.records.release(machine);
      } catch (error) {
        const { message, remedy } = inWords(error, this.records.directory(machine.id));
        failed.set(machine.id, new DriverError(message, { cause: error, remedy }));
      }
    }
    return ids.map((id) => {
      const error = failed.get(id);
      return error ? { id, kind: "failed", error } : { id, kind: "terminated" };
    });
  }

  async list(scope: MarkScope): Promise<MachineStatus[]> {
    const machines = await this.records.all();
    return Promise.all(
      machines.filter((machine) => isInScope(machine.mark, scope)).map((machine) => this.status(machine)),
    );
  }

  /** By its access alone: nothing is read for it, and its `data` is what `status` has told. */
  async connect(_id: string, { data }: ConnectOptions): Promise<MachineConnection> {
    return openMachine(data as unknown as MachinePlace, this.context.env);
  }

  private async status(machine: LocalMachine): Promise<MachineStatus> {
    const address = machine.address.split("#", 1)[0] as string;
    const { cloud } = this.context;
    const data = { directory: this.records.directory(machine.id), tag: machine.tag } satisfies MachinePlace;
    const access = { kind: "driver", cloud, id: machine.id, data } as const;
    // Whoever removed the directory, or began to, has destroyed the machine, whatever processes are left of it.
    const { id, key, mark } = machine;
    const there = exists(join(data.directory, "home"));
    const claimed = await this.records.isClaimed(machine);
    const state = there && claimed ? "running" : "stopped";
    return {
      id,
      key,
      mark,
      state,
      host: address,
      privateHost: address,
      // No name on this computer leads to it.
      hostname: null,
      access,
      reason: !there ? `its directory ${data.directory} is gone` : claimed ? "" : "its claim on its address is gone",
    };
  }
}

/** @param folder where room is needed if a call of the file system failed. */
function inWords(error: unknown, folder: string): StorageWords {
  if (isBootlevelError(error)) return { message: error.message, remedy: error.remedy };
  const { message } = error as Error;
  if (!isSystemError(error)) return { message, remedy: "" };
  return { message, remedy: storageWords("write", folder, folder, error).remedy };
}

function gone(id: string): MachineStatus {
  return missingMachine(id, "terminated", "no such machine on this computer");
}

const definition: DriverDefinition = {
  name: "local",
  cloudSchema: null,
  launchSchema: null,
  sshDefaults: { hostKeys: "known-hosts", connectTimeoutMs: 30_000 },
  create: (context) => new LocalDriver(context),
};

export default definition;
