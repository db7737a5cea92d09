/** Values that the operator gives for services on the command line. */

/** Overrides everything in the plan. */
export interface Given {
  /** The number of replicas by service name: `--replicas`. */
  readonly replicas: Readonly<Record<string, number>>;
  /** Values of inputs by service name: `--set`. */
  readonly inputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export const NOTHING_GIVEN: Given = { replicas: {}, inputs: {} };

export interface GivenToService {
  readonly replicas: number | null;
  readonly inputs: Readonly<Record<string, string>>;
}

/** Merges two sets of values: `now` overrides `before`, and other values of `before` stay. */
export function mergeGiven(before: Given, now: Given): Given {
  const services = new Set([...Object.keys(before.inputs), ...Object.keys(now.inputs)]);
  const inputs = Object.fromEntries(
    [...services].map((service) => [service, { ...before.inputs[service], ...now.inputs[service] }]),
  );
  return { replicas: { ...before.replicas, ...now.replicas }, inputs };
}

/**
 * Moves values to the new names when a changed plan renames services.
 * @param formerNames each service's former name, by its new name
 */
export function renameGiven({ replicas, inputs }: Given, formerNames: ReadonlyMap<string, string>): Given {
  const names = new Map([...formerNames].map(([name, former]) => [former, name]));
  const follow = <T>(said: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(said).map(([name, value]) => {
        const now = names.get(name);
        // Values for the new name itself were given later, so they win.
        return [now === undefined || Object.hasOwn(said, now) ? name : now, value];
      }),
    );
  return { replicas: follow(replicas), inputs: follow(inputs) };
}

/** The value of a map's own key. */
export function ownValue<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
