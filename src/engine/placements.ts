/** Which machine each service is on. */
import type { MachineAccess } from "../drivers/driver.js";
import type { ClosableLink, MachineLink } from "../machines/link.js";
import type { ProgramSpec } from "../plan/launchPlan.js";
import type { MachineRecord } from "../state/records.js";
import type { RunContext, Service } from "./runContext.js";

/** A machine that has no address yet, or that is gone, carries no program. */
export class NoMachineError extends Error {
  override readonly name = "NoMachineError";
}

export class Placements {
  private readonly machines = new Map<string, MachineRecord>();

  constructor(private readonly context: RunContext) {}

  /** Places services on the machines that the database knows: each on its newest one that has not ended. */
  static async read(context: RunContext): Promise<Placements> {
    const placements = new Placements(context);
    const names = new Map(context.levels.flat().map((service) => [service.id, service.name]));
    const record = await context.store.findRun(String(context.run.id));
    for (const machine of await context.store.machines(record)) {
      const name = names.get(machine.serviceId);
      if (name !== undefined && machine.state !== "ended") placements.machines.set(name, machine);
    }
    return placements;
  }

  set(service: Service, machine: MachineRecord): void {
    this.machines.set(service.name, machine);
  }

  /** The service's own machine, or null (a `host:` service has none). */
  machine(service: Service): MachineRecord | null {
    return this.machines.get(service.name) ?? null;
  }

  /** How programs of the service reach its machine. @throws NoMachineError */
  access(service: Service): MachineAccess {
    const owner = this.owner(service);
    const { placement } = owner.spec;
    if (placement.kind === "host") return { kind: "ssh", host: this.context.book.resolve(placement.host, owner.name), port: null, user: null };
    const access = this.machine(owner)?.access;
    if (access) return JSON.parse(access) as MachineAccess;
    throw new NoMachineError(`${owner.name} has no machine`);
  }

  /** The link for one of the service's programs: to its machine, or to the launcher. @throws NoMachineError */
  link(service: Service, program: ProgramSpec): MachineLink {
    if (program.where === "launcher") return this.context.links.launcher();
    return this.machineLink(service);
  }

  /** The link to the service's machine, with the settings of the service whose machine it is. @throws NoMachineError */
  machineLink(service: Service): ClosableLink {
    return this.context.links.to(this.access(service), this.owner(service).spec.ssh);
  }

  /** Lets go of the service's machine, which is about to be destroyed. */
  async release(service: Service): Promise<void> {
    await this.context.links.release(this.access(service), this.owner(service).spec.ssh);
  }

  /** `host: "${db.host}"` is db's machine, reached as db's machine is; any other service is on a machine or host of its own. */
  private owner(service: Service): Service {
    const { placement } = service.spec;
    if (placement.kind !== "host" || placement.host.length !== 1) return service;
    const [only] = placement.host;
    if (typeof only !== "object" || only.kind !== "service" || only.attribute !== "host") return service;
    const [source] = this.context.book.sources(only);
    const owner = this.context.levels.flat().find((other) => other.name === source);
    return owner === undefined ? service : this.owner(owner);
  }
}
