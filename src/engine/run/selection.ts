/** Selects services by the names that operators use. */
import { suggest } from "../../text/suggest.js";
import { StateError } from "../../state/contract/errors.js";
import type { RunContext } from "./context.js";
import type { Service } from "./service.js";

/**
 * The services with these names, in the order of the levels. The name of a service with replicas selects all of them.
 * @throws StateError for a name that the run does not have.
 */
export function chooseServices(context: RunContext, names: readonly string[]): Service[] {
  const all = context.levels.flat();
  const known = new Set(all.flatMap((service) => [service.name, service.spec.name]));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    const near = suggest(unknown, known);
    throw new StateError(
      `run "${context.run.name}" has no service "${unknown}"${near === null ? "" : `, did you mean "${near}"?`}`,
      `bootlevel show ${context.run.name} lists its services`,
    );
  }
  const chosen = new Set(names);
  return all.filter((service) => chosen.has(service.name) || chosen.has(service.spec.name));
}

/**
 * The one service, or replica, with this name.
 * @throws StateError for a name that the run does not have, or that several replicas share.
 */
export function chooseOneService(context: RunContext, name: string): Service {
  const [service, ...others] = chooseServices(context, [name]);
  if (service === undefined)
    throw new StateError(`service "${name}" has no replicas`, `bootlevel show ${context.run.name} lists its services`);
  if (others.length === 0) return service;
  throw new StateError(
    `service "${name}" has ${others.length + 1} replicas`,
    `say which: ${[service, ...others]
      .slice(0, 10)
      .map((one) => one.name)
      .join(", ")}`,
  );
}
