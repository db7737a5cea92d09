/** Finds references between services: which stage a service must repeat when an attribute of another one changes. */
import type { Stage } from "../../model/events.js";
import {
  meantReplica,
  replicaNumbers,
  type LaunchPlan,
  type Reference,
  type ServiceSpec,
  type Template,
} from "../../plan/launchPlan/launchPlan.js";
import { treeReferences } from "../../plan/references/resolve.js";

/** One reference of a service to another. */
export interface Dependency {
  /** The referring service and the referenced one, as named in the plan. */
  readonly dependent: string;
  readonly source: string;
  /** The number of the replica that the reference means in this revision of the plan, or "all". */
  readonly replica: number | "all";
  readonly attribute: string;
  /** The stage to repeat with a new value. */
  readonly stage: Stage;
}

const found = new WeakMap<LaunchPlan, ReadonlyMap<string, readonly Dependency[]>>();

/** All references between the plan's services, by the referenced service. Computed once per plan. */
export function dependencies(plan: LaunchPlan): ReadonlyMap<string, readonly Dependency[]> {
  const known = found.get(plan) ?? findDependencies(plan);
  found.set(plan, known);
  return known;
}

function findDependencies(plan: LaunchPlan): Map<string, Dependency[]> {
  const bySource = new Map<string, Dependency[]>();
  const numbers = new Map(
    plan.levels.flatMap((level) => level.services).map((spec) => [spec.name, replicaNumbers(spec)] as const),
  );
  for (const service of plan.levels.flatMap((level) => level.services)) {
    for (const [stage, references] of referencesByStage(service)) {
      for (const reference of references) {
        if (reference.kind !== "service") continue;
        const { service: source, replica, attribute } = reference;
        const known = bySource.get(source) ?? [];
        if (known.length === 0) bySource.set(source, known);
        const meant = replica === "all" ? replica : meantReplica(replica, numbers.get(source) ?? []);
        known.push({ dependent: service.name, source, replica: meant, attribute, stage });
      }
    }
  }
  return bySource;
}

/**
 * The stage that each reference affects: a changed launch setting requires a new machine, a changed input of the boot
 * program another boot. Terminate programs use the values of their time.
 */
function referencesByStage(service: ServiceSpec): [Stage, Reference[]][] {
  const { boot, ready, attributes, placement } = service;
  const machine = [...of(service.image), ...of(service.size), ...treeReferences(service.launch)];
  const configured = [...programReferences(boot), ...Object.values(attributes).flatMap(({ value }) => of(value))];
  const inputs = service.inputs.flatMap(({ source }) => (source.kind === "link" ? [source.link] : of(source.value)));
  const host = placement.kind === "host" ? of(placement.host) : [];
  // The same address may belong to another machine now: a service on it must boot again.
  const hosts = host.flatMap((reference): Reference[] =>
    reference.kind === "service" && reference.attribute === "host"
      ? [reference, { ...reference, attribute: "instance_id" }]
      : [reference],
  );
  return [
    ["replace", machine],
    ["boot", [...configured, ...inputs, ...hosts]],
    ["verify", programReferences(ready)],
  ];
}

function programReferences(program: ServiceSpec["boot"]): Reference[] {
  if (program === null) return [];
  const line = program.run.kind === "command" ? of(program.run.line) : [];
  return [
    ...line,
    ...program.args.flatMap((arg) => of(arg)),
    ...Object.values(program.env).flatMap((value) => of(value)),
  ];
}

function of(template: Template | null): Reference[] {
  return (template ?? []).filter((part) => typeof part === "object");
}
