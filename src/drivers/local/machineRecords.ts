/**
 * The records of local machines: the claim on the machine's address, and a copy of it in the machine's directory. Either
 * one is enough to find the machine and to end it.
 */
import { randomInt } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { isBootlevelError } from "../../errors/bootlevelError.js";
import { exists } from "../../files/exists.js";
import { storageCode, StorageError, storageWords } from "../../files/storageFailure.js";
import { removeMachineDirectory } from "../../machines/local/machineDirectory.js";
import { DriverError, type DriverContext, type LaunchRequest, type MachineMark } from "../contract/driver.js";
import { Claims } from "../shared/claims.js";
import type { LocalImages } from "./localImages.js";

/** A machine's copy of its claim, in its directory. */
const RECORD = "machine.json";
/** An address is drawn from millions; so many misses in a row mean that something else is wrong. */
const ADDRESS_TRIES = 1_000;

export interface LocalMachine {
  readonly id: string;
  readonly key: string;
  readonly mark: MachineMark;
  readonly tag: string;
  readonly address: string;
}

export class MachineRecords {
  /** The folder of all machines' directories. */
  readonly folder: string;
  private readonly claims: Claims<LocalMachine>;
  private warned = false;

  constructor(
    private readonly context: DriverContext,
    private readonly images: LocalImages,
  ) {
    this.claims = new Claims(context.state, context.warn);
    this.folder = join(context.stateDirectory, "machines");
  }

  directory(id: string): string {
    return join(this.folder, id);
  }

  /**
   * Every machine that there is; also one whose claim somebody has removed, while its directory and processes are
   * there. A damaged claim is written again from its machine's copy.
   */
  async all(): Promise<LocalMachine[]> {
    const damaged = new Map<string, Error>();
    const claimed = (await this.claims.all(damaged)).map((claim) => claim.holder);
    const known = new Set(claimed.map((machine) => machine.id));
    const strays = this.directories()
      .filter((id) => !known.has(id))
      .flatMap((id) => this.readCopy(id) ?? []);
    for (const [address, error] of damaged) await this.mend(address, strays, error);
    return [...claimed, ...strays];
  }

  private async mend(address: string, strays: readonly LocalMachine[], error: Error): Promise<void> {
    const [holder, ...others] = strays.filter((machine) => machine.address === address);
    if (holder === undefined || others.length > 0) return this.claims.report(address, error);
    if (this.context.readOnly) return;
    await this.claims.mend(address, holder);
    this.claims.report(address, error, "it was written again from its machine's own record");
  }

  /** Whether the machine has its address. A damaged claim is its own: nobody else can have taken the address. */
  async isClaimed({ id, address }: LocalMachine): Promise<boolean> {
    try {
      return (await this.claims.holder(address))?.id === id;
    } catch (error) {
      if (isBootlevelError(error, "DAMAGED_FILE")) return true;
      throw error;
    }
  }

  /**
   * Makes a machine. If it cannot have its directories, nothing of it stays. The claim on the address is the machine's
   * record: it exists from that moment, whatever happens to the launcher.
   */
  async create(request: LaunchRequest): Promise<LocalMachine> {
    const machine = await this.claimAddress(request);
    try {
      await this.makeDirectories(machine, request.image);
    } catch (error) {
      // What cannot be removed has no record, so it is no machine.
      await removeMachineDirectory(this.directory(machine.id)).catch(() => undefined);
      await this.claims.release(machine.address, machine);
      throw error;
    }
    return machine;
  }

  /** Makes what is missing of a machine's directories. */
  async makeDirectories(machine: LocalMachine, image: string | null): Promise<void> {
    // Before all others, for a machine that has a home is there.
    if (image !== null && this.images.isImage(image))
      await this.images.copyTo(image, join(this.directory(machine.id), "home"));
    for (const folder of ["home", "tmp", "work"])
      mkdirSync(join(this.directory(machine.id), folder), { recursive: true, mode: 0o700 });
    const copy = join(this.directory(machine.id), RECORD);
    if (exists(copy)) return;
    writeFileSync(`${copy}.new`, JSON.stringify(machine), { mode: 0o600 });
    renameSync(`${copy}.new`, copy);
  }

  /** Gives up the address of a machine that is gone. */
  async release(machine: LocalMachine): Promise<void> {
    await this.claims.release(machine.address, machine);
  }

  private async claimAddress(request: LaunchRequest): Promise<LocalMachine> {
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

  private directories(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      // Not there yet; or no folder, which the launch tells that wants to make one in it.
      if (["ENOENT", "ENOTDIR"].includes(storageCode(error))) return [];
      throw new StorageError(storageWords("read", this.folder, this.folder, error), error);
    }
  }

  /** Null for a directory without a copy, or with a damaged one: that stops no other machine. */
  private readCopy(id: string): LocalMachine | null {
    const file = join(this.directory(id), RECORD);
    if (!exists(file)) return null;
    try {
      return JSON.parse(readFileSync(file, "utf8")) as LocalMachine;
    } catch (error) {
      this.context.warn(
        `${file}, the record of a local machine, cannot be read: ${(error as Error).message}; ` +
          `end what still runs there, then remove ${this.directory(id)}`,
      );
      return null;
    }
  }
}
