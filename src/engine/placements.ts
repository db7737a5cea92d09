/** Which machine each service is on. */
import type { MachineAccess } from "../drivers/driver.js";
import type { MachineLink } from "../machines/link.js";
import type { ProgramSpec, Template } from "../plan/launchPlan.js";
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
    const { placement } = service.spec;
    if (placement.kind === "host") return this.hostAccess(service, placement.host);
    const access = this.machine(service)?.access;
    if (access) return JSON.parse(access) as MachineAccess;
    throw new NoMachineError(`${service.name} has no machine`);
  }

  /** The link for one of the service's programs: to its machine, or to the launcher. @throws NoMachineError */
  link(service: Service, program: ProgramSpec): MachineLink {
    return program.where === "launcher" ? this.context.links.launcher() : this.context.links.to(this.access(service), service.spec.ssh);
  }

  /** `host: "${db.host}"` is db's machine, reached as db's machine is; any other address is a host that exists already. */
  private hostAccess(service: Service, host: Template): MachineAccess {
    const [only] = host;
    if (host.length === 1 && typeof only === "object" && only.kind === "service") {
      const [source] = this.context.book.sources(only);
      const owner = this.context.levels.flat().find((other) => other.name === source);
      if (owner && only.attribute === "host") return this.access(owner);
    }
    return { kind: "ssh", host: this.context.book.resolve(host, service.name), port: null, user: null };
  }
}
