/** Failures by cause: what failed by itself comes before what suffered from it. */

interface Caused {
  readonly service: string;
  readonly cause: string | null;
}

/** A failure that nothing else explains, and those that followed from it, directly or not. */
export interface FailureGroup<T extends Caused> {
  readonly root: T;
  readonly followers: readonly T[];
}

/**
 * Groups failures by their root: the failure at the end of each chain of causes. Of services that waited for each other
 * in a circle, the first one is the root.
 * @param failures in the order in which they happened
 * @returns the groups by the time of their roots, and followers by their own time
 */
export function groupByCause<T extends Caused>(failures: readonly T[]): FailureGroup<T>[] {
  const byName = new Map(failures.map((failure) => [failure.service, failure]));
  const place = new Map(failures.map((failure, index) => [failure, index]));
  const groups = new Map<T, T[]>();
  for (const failure of failures) {
    const root = rootOf(failure, byName, place);
    const followers = groups.get(root) ?? [];
    groups.set(root, followers);
    if (failure !== root) followers.push(failure);
  }
  const first = (failure: T) => place.get(failure) ?? 0;
  return [...groups]
    .map(([root, followers]) => ({ root, followers }))
    .sort((one, other) => first(one.root) - first(other.root));
}

/** Causes before those who suffered from them. @param failures in the order in which they happened */
export function orderByCause<T extends Caused>(failures: readonly T[]): T[] {
  return groupByCause(failures).flatMap(({ root, followers }) => [root, ...followers]);
}

function rootOf<T extends Caused>(failure: T, byName: ReadonlyMap<string, T>, place: ReadonlyMap<T, number>): T {
  const path: T[] = [];
  let at: T | undefined = failure;
  while (at !== undefined && !path.includes(at)) {
    path.push(at);
    at = at.cause === null ? undefined : byName.get(at.cause);
  }
  if (at === undefined) return path.at(-1) ?? failure;
  // A circle: everybody in it, and whoever leads to it, has the same root.
  const circle = path.slice(path.indexOf(at));
  return circle.reduce((one, other) => ((place.get(other) ?? 0) < (place.get(one) ?? 0) ? other : one));
}
