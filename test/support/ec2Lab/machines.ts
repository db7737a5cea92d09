/**
 * Gives every instance that runs a real machine: namespaces of its own, an sshd at its addresses, and its user data
 * applied.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { promisify } from "node:util";

import { within } from "../eventually.js";
import type { Layer, Reply } from "../moto.js";
import type { Faults } from "./faults.js";
import { MACHINE, moveDisk, writeDisk, type ImageSettings } from "./image.js";
import type { Inventory, LabInstance } from "./inventory.js";
import type { Namespace } from "./namespace.js";
import { readUserData } from "./userData.js";

const run = promisify(execFile);
const CHANGES = new Set(["RunInstances", "TerminateInstances", "StopInstances", "StartInstances"]);

export interface Rogue {
  /** What its sshd wrote, all that there is to tell. */
  log(): string;
  /** Whether somebody let it see more than the key exchange: a user's name, or a key. */
  wasTrusted(): boolean;
}

interface Machine {
  readonly instance: LabInstance;
  readonly startedAt: number;
  readonly ended: Promise<unknown>;
  readonly directory: string;
}

/** Which machines: an instance's id, one of its addresses, or what fits. */
export type Which = string | ((instance: LabInstance) => boolean);

export class Machines {
  /** By the instance's id; one that was killed stays here while its instance runs. */
  private readonly machines = new Map<string, Machine>();
  private readonly rogues: { readonly which: Which; readonly directories: string[] }[] = [];
  private settings: (instance: LabInstance) => Partial<ImageSettings> = () => ({});
  private work: Promise<void> = Promise.resolve();
  private closed = false;
  private errors: unknown[] = [];

  constructor(
    private readonly network: Namespace,
    private readonly inventory: Inventory,
    private readonly faults: Faults,
  ) {}

  /** Sees to the machines after each call that changes instances, and tells what they print. */
  readonly layer: Layer = async (call, next) => {
    const machine =
      call.action === "GetConsoleOutput" ? this.machines.get(call.parameters.get("InstanceId") ?? "") : undefined;
    if (machine !== undefined) return this.consoleOutput(machine);
    const reply = await next(call);
    if (CHANGES.has(call.action)) void this.sync();
    return reply;
  };

  /** How machines that start from now on are. */
  setImage(settings: Partial<ImageSettings> | ((instance: LabInstance) => Partial<ImageSettings>)): void {
    this.settings = typeof settings === "function" ? settings : () => settings;
  }

  /**
   * Resolves when every running instance has its machine, whose sshd may still be on its way, and no other has. @throws
   * what went wrong before.
   */
  async settled(): Promise<void> {
    await this.sync();
    if (this.errors.length > 0) throw this.errors.shift() as Error;
  }

  sync(): Promise<void> {
    this.work = this.work
      .then(() => this.compare())
      .catch((error: unknown) => {
        if (!this.closed) this.errors.push(error);
      });
    return this.work;
  }

  /** Has machines, now and from now on, answered by an sshd with another host key that lets the same people in. */
  async rogue(which: Which): Promise<Rogue> {
    const rogue = { which, directories: [] as string[] };
    this.rogues.push(rogue);
    await this.work;
    for (const { instance } of [...this.machines.values()].filter((machine) => fits(which, machine.instance))) {
      await this.stop(instance.id);
      await this.start(instance);
    }
    const log = (): string =>
      rogue.directories.map((directory) => read(this.network.outside(`${directory}/upper/var/log/auth.log`))).join("");
    return { log, wasTrusted: () => /userauth-request|Accepted |input_userauth_request/.test(log()) };
  }

  /** The machine is dead: its processes are, and nothing answers. The cloud does not know. */
  async kill(which: Which): Promise<void> {
    for (const {
      instance: { id },
      ended,
    } of this.chosen(which)) {
      this.network.kill(id);
      await ended;
    }
  }

  /** Runs a shell script on a machine as root, past SSH. @returns what it printed. */
  async exec(which: Which, script: string): Promise<string> {
    const [machine] = this.chosen(which);
    if (machine === undefined) throw new Error("no such machine");
    const pid = this.network.firstProcess(machine.directory);
    const { stdout } = await run("nsenter", [
      "--target",
      String(pid),
      "--mount",
      "--pid",
      "--net",
      "--root",
      "--wd",
      "/bin/sh",
      "-c",
      script,
    ]);
    return stdout;
  }

  /** What its sshd wrote. */
  log(which: Which): string {
    return this.chosen(which)
      .map(({ directory }) => read(this.network.outside(`${directory}/upper/var/log/auth.log`)))
      .join("");
  }

  /** What it printed while it started. */
  console(which: Which): string {
    return this.chosen(which)
      .map(({ directory }) => read(this.network.outside(`${directory}/console`)))
      .join("");
  }

  close(): void {
    this.closed = true;
  }

  private consoleOutput({ instance, startedAt, directory }: Machine): Reply {
    const isThere = performance.now() >= startedAt + this.faults.settings.consoleMs;
    const output = isThere
      ? Buffer.from(read(this.network.outside(`${directory}/console`)).slice(-65_536)).toString("base64")
      : "";
    const text = `<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><instanceId>${instance.id}</instanceId><timestamp>${new Date().toISOString()}</timestamp>${output === "" ? "<output/>" : `<output>${output}</output>`}</GetConsoleOutputResponse>`;
    return { status: 200, headers: { "content-type": "text/xml" }, text };
  }

  private chosen(which: Which): Machine[] {
    return [...this.machines.values()].filter(({ instance }) => fits(which, instance));
  }

  private async compare(): Promise<void> {
    if (this.closed) return;
    const instances = await this.inventory.instances();
    const running = instances.filter(({ state }) => state === "running");
    const gone = [...this.machines.keys()].filter((id) => !running.some((instance) => instance.id === id));
    // First, since an address may have been given to somebody else by now.
    await Promise.all(gone.map((id) => this.stop(id)));
    await Promise.all(running.filter(({ id }) => !this.machines.has(id)).map((instance) => this.start(instance)));
    for (const { id, state } of instances)
      if (state === "terminated") rmSync(this.network.outside(`/mnt/machines/${id}`), { recursive: true, force: true });
  }

  private async start(instance: LabInstance): Promise<void> {
    const { id } = instance;
    const rogue = this.rogues.find(({ which }) => fits(which, instance));
    const directory = `/mnt/machines/${rogue === undefined ? id : `rogue-${id}`}`;
    rogue?.directories.push(directory);
    const addresses = [instance.privateAddress, instance.publicAddress].filter((address) => address !== null);
    const outside = this.network.outside(directory);
    if (!existsSync(outside)) {
      const [userData, publicKeys] = [await this.inventory.userData(id), await this.publicKeys(instance)];
      const firstBoot = readUserData(userData);
      const image: ImageSettings = { lateMs: 0, cloudInit: "true", ...this.settings(instance) };
      writeDisk(outside, {
        id,
        addresses,
        userData,
        publicKeys,
        firstBoot: rogue === undefined ? firstBoot : { ...firstBoot, hostKeys: {} },
        image,
        isWatched: rogue !== undefined,
      });
    } else moveDisk(outside, addresses);
    const { ended } = this.network.start(id, ["sh", MACHINE, directory]);
    this.machines.set(id, { instance, startedAt: performance.now(), ended, directory });
  }

  private async stop(id: string): Promise<void> {
    const machine = this.machines.get(id);
    this.machines.delete(id);
    this.network.kill(id);
    if (machine !== undefined) await within(`machine ${id} has ended`, machine.ended, 20_000);
  }

  private async publicKeys({ keyName }: LabInstance): Promise<string[]> {
    const key =
      keyName === null
        ? undefined
        : (await this.inventory.keyPairs()).find(({ KeyName }) => KeyName === keyName)?.PublicKey;
    return key === undefined ? [] : [key.trim()];
  }
}

function fits(which: Which, instance: LabInstance): boolean {
  return typeof which === "function"
    ? which(instance)
    : [instance.id, instance.privateAddress, instance.publicAddress].includes(which);
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
