/** Which machines may be started before their level, and when: what the plan allows, and what is known by then. */
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
  /** Whose moment has come, with `prelaunch: just-in-time`. */
  readonly timetable: Pick<Timetable, "isDue"> | null;
}

export class EarlyCandidates {
  /** The level that has begun last. */
  level = -1;
  private readonly levelOf: ReadonlyMap<Service, number>;
  /** Services whose turn has come, or comes as soon as a cloud is free. */
  private readonly chosen = new Set<Service>();
  /** Services that could be asked for if attributes were known. */
  private readonly waiting = new Set<Service>();
  /** Attributes whose values stay, as `service attribute`, and services of which all do. */
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

  /**
   * Whether its machine may still be started early: its level has not begun, and what was published meanwhile has left
   * its task what it was.
   */
  isOpen(service: Service): boolean {
    return !this.hasBegun(service) && this.parts.agenda.of(service)?.stage === "launch";
  }

  /** The services to ask for now, in groups of one level each, in order. */
  ofLaterLevels(): Service[][] {
    this.waiting.clear();
    const groups = this.levelsInReach().map((level) => this.freeOn(level));
    return this.choose(groups.flat());
  }

  /** Services that had to wait for these values only. */
  freedBy(service: Service, names: readonly string[] | null): Service[][] {
    if (names === null) this.settledServices.add(service);
    else for (const name of names) this.settledNames.add(`${service.name} ${name}`);
    return this.choose([...this.waiting].filter((waiting) => this.isOpen(waiting)));
  }

  /** Services of levels that never began, with machines on which nothing ever ran. */
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
    const later = context.levels.flatMap((services, level) =>
      level > this.level && agenda.among(services).length > 0 ? [level] : [],
    );
    const { prelaunch } = context.plan;
    if (prelaunch === "all" || prelaunch === "just-in-time") return later;
    return later.slice(0, prelaunch === "none" ? 0 : 1);
  }

  private freeOn(level: number): Service[] {
    const replacing = this.cloudsWithReplacements(level);
    return (this.parts.context.levels[level] ?? []).filter((service) => {
      const begins =
        service.spec.placement.kind === "cloud" &&
        this.isOpen(service) &&
        this.isNew(service) &&
        (this.parts.timetable?.isDue(service) ?? true);
      // A service that gives a machine back before this one's turn may need the place, or another one than it had.
      return begins && !this.chosen.has(service) && !replacing.has(cloudOf(service));
    });
  }

  /** Nothing ever ran on its machine, or it has none. */
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

  /** Takes those whose values are known, and lets the others wait for them. */
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

  /** Whether all that its machine is made from has a value that stays. */
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

/** What a service's machine is made from. */
function machineReferences({ image, size, fallbackSizes, launch }: ServiceSpec): (Reference & { kind: "service" })[] {
  const parts = [image ?? [], size ?? [], ...fallbackSizes].flat().filter((part) => typeof part === "object");
  return [...parts, ...treeReferences(launch)].filter((reference) => reference.kind === "service");
}
