/** Distinguishes replicas from services: `web-2` is replica 2 of `web`, unless a service has exactly that name. */
import type { Reference, Template } from "./launchPlan.js";

type ServiceReference = Extract<Reference, { kind: "service" }>;

/** Splits the replica's number off the reference's name. Unchanged if the name is a service's, or unknown. */
export function splitReplica(reference: ServiceReference, services: { has(name: string): boolean }): ServiceReference {
  if (reference.replica !== 0 || services.has(reference.service)) return reference;
  const [, base, digits] = /^(.+)-([1-9][0-9]{0,8}|0)$/.exec(reference.service) ?? [];
  if (base === undefined || !services.has(base)) return reference;
  // web-0 is not a replica; -1 distinguishes it from "no number".
  return { ...reference, service: base, replica: digits === "0" ? -1 : Number(digits) };
}

/** A template in which the numbers of all replicas are split off. */
export function splitReplicas(template: Template, services: { has(name: string): boolean }): Template {
  return template.map((part) =>
    typeof part === "object" && part.kind === "service" ? splitReplica(part, services) : part,
  );
}
