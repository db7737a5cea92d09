/** Decides which machines may be launched before their level, and when. */
import type { Reference, ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import { treeReferences } from "../../plan/references/resolve.js";
import type { Agenda } from "../tasks/agenda.js";
import { cloudOf } from "./launchMachines.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Timetable } from "./timetable.js";
import type { Service } from "../run/service.js";

export interface CandidateParts {
  readonly context: RunContext;
  readonly assignments: MachineAssignments;
  readonly agenda: Agenda;
  /** Which services are due, with `prelaunch: just-in-time`; null otherwise. */
  readonly timetable: Pick<Timetable, "isDue"> | null;
}

export class EarlyCandidates {
  /** The level that began last. */
  level = -1;
  private readonly levelOf: ReadonlyMap<Service, number>;
  /** Services that were selected for an early launch, including queued ones. */
  private readonly chosen = new Set<Service>();
  /** Services that only wait for attributes. */
  private readonly waiting = new Set<Service>();
  /** Attributes with final values, as `service attribute`, and services whose attributes are all final. */
  private readonly settledNames = new Set<string>();
  private readonly settledServices = new Set<Service>();
  private readonly references = new Map<ServiceSpec, readonly (Reference & { kind: "service" })[]>();

  constructor(private readonly parts: CandidateParts) {
    this.levelOf = new Map(
      parts.context.levels.flatMap((services, level) => services.map((service) => [service, level] as const)),
    );
  }

  hasBegun(service: Service): boolean {
    return this.place(service) <= this.level;
  }

  /** Whether the machine may still be launched early: its level has not begun, and its task is still a launch. */
  isOpen(service: Service): boolean {
    return !this.hasBegun(service) && this.parts.agenda.of(service)?.stage === "launch";
  }

  /** The services to launch now, grouped by level, in order. */
  ofLaterLevels(): Service[][] {
    this.waiting.clear();
    const groups = this.levelsInReach().map((level) => this.freeOn(level));
    return this.choose(groups.flat());
  }

  /** Services that only waited for these values, grouped by level. */
  freedBy(service: Service, names: readonly string[] | null): Service[][] {
    if (names === null) this.settledServices.add(service);
    else for (const name of names) this.settledNames.add(`${service.name} ${name}`);
    return this.choose([...this.waiting].filter((waiting) => this.isOpen(waiting)));
  }

  /** Services of levels that never began, with machines on which nothing has run. */
  unused(): Service[] {
    const { context, assignments, agenda } = this.parts;
    const later = context.levels
      .flat()
      .filter((service) => !this.hasBegun(service) && assignments.machine(service) !== null);
    return agenda
      .among(later)
      .filter((service) => this.chosen.has(service) || (this.isNew(service) && agenda.of(service)?.stage === "launch"));
  }

  private levelsInReach(): number[] {
    const { context, agenda } = this.parts;
    const { prelaunch } = context.plan;
    const found: number[] = [];
    for (let level = this.level + 1; level < context.levels.length && prelaunch !== "none"; level += 1) {
      if (agenda.among(context.levels[level] ?? []).length === 0) continue;
      found.push(level);
      // Not all later ones are looked at: there may be thousands.
      if (prelaunch === "next") break;
    }
    return found;
  }

  private freeOn(level: number): Service[] {
    const replacing = this.cloudsWithReplacements(level);
    return (this.parts.context.levels[level] ?? []).filter((service) => {
      const begins =
        service.spec.placement.kind === "cloud" &&
        this.isOpen(service) &&
        this.isNew(service) &&
        (this.parts.timetable?.isDue(service) ?? true);
      // A service before this level that replaces its machine may need the capacity.
      return begins && !this.chosen.has(service) && !replacing.has(cloudOf(service));
    });
  }

  /** Its machine is unused, or it has none. */
  private isNew(service: Service): boolean {
    const { context, assignments } = this.parts;
    const state = context.records.get(service.id)?.state ?? "planned";
    return (
      assignments.machine(service) === null || state === "planned" || state === "launching" || this.chosen.has(service)
    );
  }

  private cloudsWithReplacements(level: number): Set<string> {
    const { context, assignments, agenda } = this.parts;
    const between = context.levels.slice(this.level + 1, level + 1).flat();
    const replaced = between.filter(
      (service) => agenda.of(service)?.stage === "discard" || agenda.of(service)?.stage === "replace",
    );
    return new Set(
      replaced.flatMap((service) =>
        [
          assignments.machine(service)?.cloud ?? [],
          service.spec.placement.kind === "cloud" ? cloudOf(service) : [],
        ].flat(),
      ),
    );
  }

  /** Selects the services whose values are known. The others wait. */
  private choose(services: readonly Service[]): Service[][] {
    const levels = new Map<number, Service[]>();
    for (const service of services) {
      if (!this.isKnown(service)) {
        this.waiting.add(service);
        continue;
      }
      this.waiting.delete(service);
      this.chosen.add(service);
      const level = this.place(service);
      const group = levels.get(level);
      if (group) group.push(service);
      else levels.set(level, [service]);
    }
    return [...levels.values()];
  }

  /** Whether all values that determine the machine are final. */
  private isKnown({ spec }: Service): boolean {
    const { context } = this.parts;
    const references = this.references.get(spec) ?? machineReferences(spec);
    this.references.set(spec, references);
    return references.every((reference) =>
      context.attributes.sources(reference).every((name) => this.isSettled(name, reference.attribute)),
    );
  }

  private isSettled(name: string, attribute: string): boolean {
    const source = this.parts.context.byName.get(name);
    if (source === undefined) return false;
    return (
      this.place(source) < this.level ||
      this.settledServices.has(source) ||
      this.settledNames.has(`${name} ${attribute}`)
    );
  }

  private place(service: Service): number {
    return this.levelOf.get(service) ?? Infinity;
  }
}

/** The references that determine a service's machine. */
function machineReferences({ image, size, fallbackSizes, launch }: ServiceSpec): (Reference & { kind: "service" })[] {
  const parts = [image ?? [], size ?? [], ...fallbackSizes].flat().filter((part) => typeof part === "object");
  return [...parts, ...treeReferences(launch)].filter((reference) => reference.kind === "service");
}
