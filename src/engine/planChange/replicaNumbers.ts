/** Numbers the replicas of a changed plan: existing replicas keep their numbers, and a run never reuses a number. */
import type { LaunchPlan, ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import type { ServiceRecord } from "../../state/contract/records.js";
import { formerNames } from "./planDiff.js";

/**
 * The changed plan with the numbers of its replicas.
 * @param ever the highest replica number that each service ever had, by the service's name.
 */
export function withReplicaNumbers(
  before: LaunchPlan,
  after: LaunchPlan,
  records: readonly ServiceRecord[],
  ever: ReadonlyMap<string, number>,
): LaunchPlan {
  const names = formerNames(before, after);
  const living = records.filter((record) => record.due?.stage !== "remove");
  const number = (spec: ServiceSpec): ServiceSpec => {
    const former = names.get(spec.name) ?? spec.name;
    const there = living
      .filter((record) => record.spec === former)
      .map(({ replica }) => replica)
      .sort((one, other) => one - other);
    const highest = Math.max(0, ever.get(former) ?? 0, ever.get(spec.name) ?? 0);
    // A single replica that comes back has its service's name, without a number. If there were several before, number 1
    // could be used twice later.
    if (there.length === 0 && spec.replicas === 1 && highest <= 1) return spec;
    const kept = there.slice(0, spec.replicas);
    const fresh = Array.from({ length: Math.max(0, spec.replicas - kept.length) }, (_, index) => highest + index + 1);
    const numbers = [...kept, ...fresh];
    return numbers.every((value, index) => value === index + 1) ? spec : { ...spec, replicaNumbers: numbers };
  };
  return { ...after, levels: after.levels.map((level) => ({ ...level, services: level.services.map(number) })) };
}
