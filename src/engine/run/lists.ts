/** Groups values by a key. (Node 20 has no `Map.groupBy`.) */

/** Adds a value to the list of a key, and creates the list if needed. */
export function append<K, T>(lists: Map<K, T[]>, key: K, one: T): void {
  const list = lists.get(key);
  if (list) list.push(one);
  else lists.set(key, [one]);
}

/** All values in their order, by their key. */
export function groupBy<K, T>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) append(groups, keyOf(one), one);
  return groups;
}
