/**
 * Built-in attributes that follow from the plan: a replica's number and those of its siblings. They are never recorded:
 * `ids` of 10,000 replicas has 49 KB, once for each of them.
 */
import { replicaNumbers, type ServiceSpec } from "../../plan/launchPlan/launchPlan.js";

const COUNTED: readonly string[] = ["replica", "replicas", "ids"];

export function isCounted(name: string): boolean {
  return COUNTED.includes(name);
}

/** One text for all replicas of a service. */
const idsOf = new WeakMap<ServiceSpec, string>();

/** The counted attributes of one replica, by name. */
export function countedAttributes(spec: ServiceSpec, replica: number): Readonly<Record<string, string>> {
  const ids = idsOf.get(spec) ?? replicaNumbers(spec).join(",");
  idsOf.set(spec, ids);
  return { replica: String(replica), replicas: String(spec.replicas), ids };
}
