/**
 * The embedded default cloud: a machine is a directory of its own with a loopback address of its own, and the processes
 * started in it. What a machine's programs leave running is found by its tag (see `machines/local/taggedProcesses.ts`),
 * wherever it went.
 */
import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { findTagged, killTagged, type TaggedProcess } from "../../machines/local/taggedProcesses.js";
import type { MachineConnection } from "../../machines/contract/connection.js";
import { openMachine, type LocalMachine as MachinePlace } from "../../machines/local/localMachine.js";
import { removeMachineDirectory } from "../../machines/local/machineDirectory.js";
import { LocalImages } from "./localImages.js";
import { Claims } from "../shared/claims.js";
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
  type MachineMark,
  type MachineStatus,
  type MarkScope,
  type TerminateOutcome,
} from "../contract/driver.js";
import { missingMachine } from "../shared/missingMachine.js";

/** How long processes have between SIGTERM and SIGKILL, in milliseconds. */
const GRACE_MS = 5_000;
/** A machine's copy of its claim, in its directory. */
const RECORD = "machine.json";
/** An address is drawn from millions; so many misses in a row mean that something else is wrong. */
const ADDRESS_TRIES = 1_000;

interface LocalMachine {
  readonly id: string;
  readonly key: string;
  readonly mark: MachineMark;
  readonly tag: string;
  readonly address: string;
}

class LocalDriver implements Driver {
  private readonly claims: Claims<LocalMachine>;
  private readonly machinesDirectory: string;
  private readonly images: LocalImages;
  private warned = false;

  constructor(private readonly context: DriverContext) {
    this.claims = new Claims(context.state);
    this.machinesDirectory = join(context.stateDirectory, "machines");
    this.images = new LocalImages(join(context.stateDirectory, "images"));
  }

  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const known = new Map((await this.machines()).map((machine) => [machine.key, machine]));
    return Promise.all(
      requests.map(async (request): Promise<LaunchOutcome> => {
        try {
          signal.throwIfAborted();
          const machine = known.get(request.key) ?? (await this.create(request));
          await this.makeDirectories(machine, request.image);
          return { key: request.key, kind: "launched", machine: await this.status(machine) };
        } catch (error) {
          const message = `no machine for ${request.mark.service}: ${(error as Error).message}`;
          return {
            key: request.key,
            kind: "failed",
            error: new DriverError(message, { cause: error }),
            leftover: null,
          };
        }
      }),
    );
  }

  async createImage({ machine, name }: ImageRequest): Promise<{ readonly id: string }> {
    return { id: await this.images.make(name, join(this.directory(machine), "home")) };
  }

  async deleteImage(id: string): Promise<void> {
    await this.images.remove(id);
  }

  async describe(ids: readonly string[]): Promise<MachineStatus[]> {
    const known = new Map((await this.machines()).map((machine) => [machine.id, machine]));
    return Promise.all(
      ids.map(async (id) => {
        const machine = known.get(id);
        return machine ? this.status(machine) : gone(id);
      }),
    );
  }

  async terminate(ids: readonly string[]): Promise<TerminateOutcome[]> {
    const wanted = new Set(ids);
    const machines = (await this.machines()).filter((machine) => wanted.has(machine.id));
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
        await removeMachineDirectory(this.directory(machine.id));
        await this.claims.release(machine.address, machine);
      } catch (error) {
        failed.set(machine.id, error as Error);
      }
    }
    return ids.map((id) => {
      const error = failed.get(id);
      return error ? { id, kind: "failed", error } : { id, kind: "terminated" };
    });
  }

  async list(scope: MarkScope): Promise<MachineStatus[]> {
    const machines = await this.machines();
    return Promise.all(
      machines.filter((machine) => isInScope(machine.mark, scope)).map((machine) => this.status(machine)),
    );
  }

  /** By its access alone: nothing is read for it, and its `data` is what `status` has told. */
  async connect(_id: string, { data }: ConnectOptions): Promise<MachineConnection> {
    return openMachine(data as unknown as MachinePlace, this.context.env);
  }

  /**
   * Every machine that there is; also one whose claim somebody has removed, while its directory and processes are
   * there.
   */
  private async machines(): Promise<LocalMachine[]> {
    const claimed = (await this.claims.all()).map((claim) => claim.holder);
    const known = new Set(claimed.map((machine) => machine.id));
    const strays = this.directories()
      .filter((id) => !known.has(id))
      .flatMap((id) => this.readRecord(id) ?? []);
    return [...claimed, ...strays];
  }

  private directories(): string[] {
    try {
      return readdirSync(this.machinesDirectory);
    } catch (error) {
      // Not there yet; or no folder, which the launch tells that wants to make one in it.
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
      throw error;
    }
  }

  private readRecord(id: string): LocalMachine | null {
    const file = join(this.directory(id), RECORD);
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as LocalMachine) : null;
  }

  private directory(id: string): string {
    return join(this.machinesDirectory, id);
  }

  /** The claim on the address is the machine's record: it exists from that moment, whatever happens to the launcher. */
  private async create(request: LaunchRequest): Promise<LocalMachine> {
    const id = encodeURIComponent(request.key);
    const tag = String(randomInt(2 ** 40, 2 ** 47));
    for (let attempt = 0; attempt < ADDRESS_TRIES; attempt += 1) {
      const address = this.drawAddress();
      const claim = process.platform === "linux" ? address : `${address}#${id}`;
      const machine = { id, key: request.key, mark: request.mark, tag, address: claim };
      if (await this.claims.take(claim, machine)) return machine;
    }
    throw new DriverError(`no free loopback address after ${ADDRESS_TRIES} tries: terminate runs that are not needed`);
  }

  /** A machine that cannot have its directories is none: its claim is given up. */
  private async makeDirectories(machine: LocalMachine, image: string | null): Promise<void> {
    try {
      // Before all others, for a machine that has a home is there.
      if (image !== null && this.images.isImage(image))
        await this.images.copyTo(image, join(this.directory(machine.id), "home"));
      for (const folder of ["home", "tmp", "work"])
        mkdirSync(join(this.directory(machine.id), folder), { recursive: true, mode: 0o700 });
      const record = join(this.directory(machine.id), RECORD);
      writeFileSync(`${record}.new`, JSON.stringify(machine), { mode: 0o600 });
      renameSync(`${record}.new`, record);
    } catch (error) {
      await this.claims.release(machine.address, machine);
      throw error;
    }
  }

  /** Linux answers on all of 127.0.0.0/8 without set-up; the low part is left to the system's own services. */
  private drawAddress(): string {
    if (process.platform === "linux") return `127.${randomInt(16, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    if (!this.warned)
      this.context.warn(
        `on ${process.platform} all local machines share 127.0.0.1: their services need ports of their own`,
      );
    this.warned = true;
    return "127.0.0.1";
  }

  private async status(machine: LocalMachine): Promise<MachineStatus> {
    const address = machine.address.split("#", 1)[0] as string;
    const { cloud } = this.context;
    const data = { directory: this.directory(machine.id), tag: machine.tag } satisfies MachinePlace;
    const access = { kind: "driver", cloud, id: machine.id, data } as const;
    // Whoever removed the directory, or began to, has destroyed the machine, whatever processes are left of it.
    const { id, key, mark } = machine;
    const there = existsSync(join(data.directory, "home"));
    const claimed = (await this.claims.holder(machine.address))?.id === id;
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
