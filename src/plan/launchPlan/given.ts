/** What the operator says of services in the call. */

/** Nearer than anything in the plan. */
export interface Given {
  /** How many replicas a service has, by its name: `--replicas`. */
  readonly replicas: Readonly<Record<string, number>>;
  /** Values of inputs, by the service's name: `--set`. */
  readonly inputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export const NOTHING_GIVEN: Given = { replicas: {}, inputs: {} };

export interface GivenToService {
  readonly replicas: number | null;
  readonly inputs: Readonly<Record<string, string>>;
}

/** What is said now goes before what was said before; the rest of that stays. */
export function mergeGiven(before: Given, now: Given): Given {
  const services = new Set([...Object.keys(before.inputs), ...Object.keys(now.inputs)]);
  const inputs = Object.fromEntries(
    [...services].map((service) => [service, { ...before.inputs[service], ...now.inputs[service] }]),
  );
  return { replicas: { ...before.replicas, ...now.replicas }, inputs };
}

/**
 * What was said of services goes with them when a plan gives them other names. @param formerNames the name that each
 * had before, by the one that it has now
 */
export function renameGiven({ replicas, inputs }: Given, formerNames: ReadonlyMap<string, string>): Given {
  const names = new Map([...formerNames].map(([name, former]) => [former, name]));
  const follow = <T>(said: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(said).map(([name, value]) => {
        const now = names.get(name);
        // What was said of the new name itself was said later.
        return [now === undefined || Object.hasOwn(said, now) ? name : now, value];
      }),
    );
  return { replicas: follow(replicas), inputs: follow(inputs) };
}

/** The value that a map has under a name of its own. */
export function ownValue<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
