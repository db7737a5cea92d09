/** Lists by a key. (`Map.groupBy` comes with Node 21.) */

/** Adds one to the list of a key, and makes the list where there is none. */
export function append<K, T>(lists: Map<K, T[]>, key: K, one: T): void {
  const list = lists.get(key);
  if (list) list.push(one);
  else lists.set(key, [one]);
}

/** All in their order, by the key that each has. */
export function groupBy<K, T>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) append(groups, keyOf(one), one);
  return groups;
}
