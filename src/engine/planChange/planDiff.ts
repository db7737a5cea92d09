/**
 * Compares two plans and says what happens to each service of a run: added, removed, replaced, booted again, verified
 * again, executed again, renamed or kept.
 */
import type { Stage } from "../../model/events.js";
import { replicaNames, replicaNumbers, type LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { ServiceRecord } from "../../state/contract/records.js";
import { comparable, type Aspect } from "./planAspects.js";
import type { PlanVersion } from "./planVersion.js";

export interface ServiceChange {
  /** The service's number, or null for a new one. */
  readonly id: number | null;
  readonly name: string;
  /** Its earlier name; null if it is unchanged or the service is new. */
  readonly was: string | null;
  readonly level: number;
  readonly levelName: string;
  readonly spec: string;
  readonly replica: number;
  /** The action. "keep" changes nothing that runs. */
  readonly action: "add" | "remove" | "keep" | Extract<Stage, "replace" | "boot" | "verify" | "execute">;
  /** The differences, for people: `size: m5.large → m5.xlarge`. Contains no values that may be secret. */
  readonly differences: readonly string[];
}

/** Compares the plan of a run with another one, replica by replica. */
export function diffPlans(
  before: PlanVersion,
  after: PlanVersion,
  records: readonly ServiceRecord[],
  runName: string,
): ServiceChange[] {
  const names = formerNames(before.plan, after.plan);
  const known = new Map(
    records
      .filter((record) => record.due?.stage !== "remove")
      .map((record) => [identity(record.spec, record.replica), record]),
  );
  const specs = new Map(
    before.plan.levels.flatMap((level) =>
      level.services.map((spec) => [spec.name, { spec, level: level.name }] as const),
    ),
  );
  const old = comparable(before, new Map(), runName);
  const fresh = comparable(after, names, runName);
  const changes: ServiceChange[] = [];
  for (const [level, { name: levelName, services }] of after.plan.levels.entries()) {
    for (const spec of services) {
      const former = specs.get(names.get(spec.name) ?? spec.name);
      const difference = former === undefined ? null : compare(old(former.spec), fresh(spec), former.level, levelName);
      const numbers = replicaNumbers(spec);
      for (const [index, name] of replicaNames(spec).entries()) {
        const key = identity(former?.spec.name ?? spec.name, numbers[index] as number);
        const record = former === undefined ? undefined : known.get(key);
        known.delete(key);
        const place = { name, level, levelName, spec: spec.name, replica: numbers[index] as number };
        if (record === undefined || difference === null)
          changes.push({ ...place, id: null, was: null, action: "add", differences: [] });
        else changes.push({ ...place, id: record.id, was: record.name === name ? null : record.name, ...difference });
      }
    }
  }
  const removed = [...known.values()].map((record): ServiceChange => ({
    id: record.id,
    name: record.name,
    was: null,
    level: record.level,
    levelName: before.plan.levels[record.level]?.name ?? "",
    spec: record.spec,
    replica: record.replica,
    action: "remove",
    differences: [],
  }));
  return [...changes, ...removed];
}

/** The identity of a replica: its service's name and its number, whatever its own name is. */
function identity(spec: string, replica: number): string {
  return `${spec} ${replica}`;
}

/** The former name of each renamed service. A `was` that an earlier reload followed has no effect. */
export function formerNames(before: LaunchPlan, after: LaunchPlan): Map<string, string> {
  const old = new Set(namesOf(before));
  const fresh = new Set(namesOf(after));
  const followed = new Map(before.levels.flatMap((level) => level.services).map(({ name, was }) => [name, was]));
  const renamed = after.levels
    .flatMap((level) => level.services)
    .filter(
      ({ name, was }) =>
        was !== null && was !== followed.get(name) && old.has(was) && (!old.has(name) || fresh.has(was)),
    );
  return new Map(renamed.map(({ name, was }) => [name, was as string]));
}

function namesOf(plan: LaunchPlan): string[] {
  return plan.levels.flatMap((level) => level.services.map((service) => service.name));
}

const ACTIONS: readonly [Aspect["stage"], ServiceChange["action"]][] = [
  ["replace", "replace"],
  ["boot", "boot"],
  ["verify", "verify"],
  ["execute", "execute"],
  ["none", "keep"],
];

/** The action that the differences require, and all differences. */
function compare(
  before: readonly Aspect[],
  after: readonly Aspect[],
  levelBefore: string,
  levelAfter: string,
): Pick<ServiceChange, "action" | "differences"> {
  const old = new Map(before.map((aspect) => [aspect.name, aspect]));
  const fresh = new Map(after.map((aspect) => [aspect.name, aspect]));
  const different = [...new Set([...old.keys(), ...fresh.keys()])].filter(
    (name) => old.get(name)?.value !== fresh.get(name)?.value,
  );
  // A program that is gone has nothing to execute.
  const stages = new Set(
    different
      .map((name) => (fresh.get(name) ?? old.get(name))?.stage)
      .filter((stage) => stage !== "execute" || fresh.has("execute")),
  );
  const action = ACTIONS.find(([stage]) => stages.has(stage))?.[1] ?? "keep";
  const moved = levelBefore === levelAfter ? [] : [`level: ${levelBefore} → ${levelAfter}`];
  return { action, differences: [...different.map((name) => words(name, old.get(name), fresh.get(name))), ...moved] };
}

function words(name: string, before: Aspect | undefined, after: Aspect | undefined): string {
  const shown = (before ?? after)?.shown !== null && (after ?? before)?.shown !== null;
  if (shown) return `${name}: ${before?.shown ?? "none"} → ${after?.shown ?? "none"}`;
  return before === undefined ? `${name}: new` : after === undefined ? `${name}: removed` : `${name}: changed`;
}
