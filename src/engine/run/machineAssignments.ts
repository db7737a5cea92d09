/** Which machine each service is on. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import type { MachineAccess, MachineStatus } from "../../drivers/contract/driver.js";
import type { ClosableLink } from "../../machines/contract/link.js";
import { shellRunner, type ProgramRunner } from "../../machines/program/programRunner.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import type { MachineRecord } from "../../state/contract/records.js";
import { driverRunner } from "../clouds/driverRunner.js";
import { hostProblem } from "../../plan/launchPlan/hostProblem.js";
import type { RunContext } from "./context.js";
import type { Service } from "./service.js";

/** A machine that has no address yet, or that is gone, carries no program. */
export class NoMachineError extends BootlevelError {
  override readonly name = "NoMachineError";
  static override readonly code: string = "NO_MACHINE";
}

export const isNoMachineError = guardOf(NoMachineError);

/** The wish for a machine: `key` names it for ever. */
export interface LaunchIntent {
  readonly key: string;
  readonly generation: number;
}

export class MachineAssignments {
  /** The machine that a service has, by the service's number. */
  private readonly machines = new Map<number, MachineRecord>();
  /** Machines that services had before, by the service's number. */
  private readonly former = new Map<number, string[]>();
  /** How many machines were ever wished for under a name: names may go from one service to another. */
  private readonly generations = new Map<string, number>();

  private constructor(private readonly context: RunContext) {}

  /** Places services on the machines that the database knows: each on its newest one that has not ended. */
  static async read(context: RunContext): Promise<MachineAssignments> {
    const assignments = new MachineAssignments(context);
    for (const machine of await context.store.machines(context.run)) assignments.learn(machine);
    return assignments;
  }

  /** The service's own machine, or null (a `host:` service has none). */
  machine(service: Service): MachineRecord | null {
    return this.machines.get(service.id) ?? null;
  }

  /** What to ask the cloud for: the machine that was asked for already, or else a new one. */
  launchIntent(service: Service): LaunchIntent {
    const machine = this.machine(service);
    if (machine !== null) return machine;
    const generation = (this.generations.get(service.name) ?? 0) + 1;
    return { generation, key: `${this.context.run.uid}.${service.name}.${generation}` };
  }

  /** The driver's ids of machines that the service had before. */
  formerIds(service: Service): string[] {
    return this.former.get(service.id) ?? [];
  }

  /** The wish is written down: the service has this machine from now on, whether the cloud knows of it yet or not. */
  recordIntent(service: Service, cloud: string, { key, generation }: LaunchIntent): void {
    if (this.machine(service)?.key === key) return;
    const unknown = {
      driverId: null,
      host: null,
      privateHost: null,
      hostname: null,
      access: null,
      launchedAt: null,
      metAt: null,
      endedAt: null,
      endReason: null,
    };
    this.learn({
      id: 0,
      serviceId: service.id,
      cloud,
      key,
      generation,
      state: "intended",
      requestedAt: this.context.clock.now(),
      ...unknown,
    });
  }

  /** The cloud has told of the service's machine. */
  launched(service: Service, status: MachineStatus): void {
    const machine = this.machine(service);
    if (machine === null) return;
    const { id: driverId, host, privateHost, hostname, access } = status;
    const launchedAt = machine.launchedAt ?? this.context.clock.now();
    this.machines.set(service.id, {
      ...machine,
      state: "running",
      driverId,
      host,
      privateHost,
      hostname,
      access: access && JSON.stringify(access),
      launchedAt,
    });
  }

  /** The service has no machine any more. */
  ended(service: Service): void {
    const machine = this.machine(service);
    if (machine === null) return;
    this.machines.delete(service.id);
    this.remember(machine);
  }

  /** How programs of the service reach its machine. @throws NoMachineError */
  access(service: Service): MachineAccess {
    const owner = this.owner(service);
    const { placement } = owner.spec;
    if (placement.kind === "host") {
      const host = this.context.attributes.resolve(placement.host, owner.name);
      const problem = hostProblem(host);
      if (problem !== null) throw new NoMachineError(`${owner.name} has no machine: its host ${problem}`);
      return { kind: "ssh", host, port: null, user: null };
    }
    const access = this.machine(owner)?.access;
    if (access) return JSON.parse(access) as MachineAccess;
    throw new NoMachineError(`${owner.name} has no machine`);
  }

  /** Where one of the service's programs runs: on its machine, or on the launcher. @throws NoMachineError */
  runner(service: Service, program: ProgramSpec): ProgramRunner {
    if (program.where === "launcher") return shellRunner(this.context.links.launcher());
    const access = this.access(service);
    return access.kind === "driver"
      ? driverRunner(this.context.clouds, access, () => this.machineLink(service))
      : shellRunner(this.machineLink(service));
  }

  /**
   * Checks that the service's machine lets the launcher in. A machine that only its driver can use, and not connect to,
   * counts as reached.
   * @throws NoMachineError, ConnectionError, DriverError
   */
  async reach(service: Service): Promise<void> {
    const access = this.access(service);
    if (access.kind === "ssh") {
      await this.machineLink(service).connection();
      return;
    }
    const driver = await this.context.clouds.driver(access.cloud);
    if (driver.programRunner === undefined && driver.connect === undefined) return;
    await driverRunner(this.context.clouds, access, () => this.machineLink(service)).reach();
  }

  /** The link to the service's machine, with the settings of the service whose machine it is. @throws NoMachineError */
  machineLink(service: Service): ClosableLink {
    const access = this.access(service);
    const owner = this.owner(service);
    const machine = this.machine(owner);
    const launched = machine?.driverId ? { cloud: machine.cloud, id: machine.driverId, key: machine.key } : null;
    const met = machine === null ? this.wasUp(owner) : machine.metAt !== null;
    return this.context.links.to(access, owner.spec.ssh, launched, met);
  }

  /** Whether a service without a machine of its own was ever up on its host. */
  private wasUp({ id }: Service): boolean {
    const record = this.context.records.get(id);
    return record !== undefined && (record.booted || record.state === "ready");
  }

  /** False where the machine's driver runs programs itself. @throws NoMachineError, DriverError */
  async hasShell(service: Service): Promise<boolean> {
    const access = this.access(service);
    if (access.kind === "ssh") return true;
    return (await this.context.clouds.driver(access.cloud)).connect !== undefined;
  }

  /** Lets go of the service's machine, which is about to be destroyed. */
  async release(service: Service): Promise<void> {
    await this.context.links.release(this.access(service), this.owner(service).spec.ssh);
  }

  /**
   * `host: "${db.host}"` is db's machine, reached as db's machine is; any other service is on a machine or host of its
   * own.
   */
  owner(service: Service): Service {
    const { placement } = service.spec;
    if (placement.kind !== "host" || placement.host.length !== 1) return service;
    const [only] = placement.host;
    if (typeof only !== "object" || only.kind !== "service" || only.attribute !== "host") return service;
    const [source] = this.context.attributes.sources(only);
    const owner = this.context.byName.get(source ?? "");
    return owner === undefined ? service : this.owner(owner);
  }

  private learn(machine: MachineRecord): void {
    const name = machine.key.slice(0, machine.key.lastIndexOf(".")).slice(this.context.run.uid.length + 1);
    this.generations.set(name, Math.max(this.generations.get(name) ?? 0, machine.generation));
    if (machine.state === "ended") this.remember(machine);
    else this.machines.set(machine.serviceId, machine);
  }

  private remember({ serviceId, driverId }: MachineRecord): void {
    if (driverId !== null) this.former.set(serviceId, [...(this.former.get(serviceId) ?? []), driverId]);
  }
}
