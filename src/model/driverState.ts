/**
 * What a driver keeps between its calls, its processes and its launchers: who has a host of a pool, what a call to the
 * cloud asked for. One store for each driver of an installation; all clouds, runs and launchers share it.
 */

/**
 * `group/name`. The group is letters, digits, `-` and `_`; the name is text of any kind, with more slashes or none. What
 * is kept on a disk limits the name to about 200 bytes of plain letters; other characters count three times.
 */
export type StateKey = `${string}/${string}`;

/** Any JSON value but null, which stands for "none". */
export type StateValue = NonNullable<unknown>;

export interface StateEntry {
  readonly key: StateKey;
  readonly value: StateValue;
}

/**
 * Every change is durable when its promise resolves, and appears whole or not at all, whoever dies when. All of it throws
 * `StateError` for state that cannot be read or written, or is damaged; its remedy says what helps.
 */
export interface DriverState {
  /** The value of a key, or null. */
  get(key: StateKey): Promise<StateValue | null>;
  /** Keeps a value unless the key has one. Of several processes exactly one gets true. */
  insert(key: StateKey, value: StateValue): Promise<boolean>;
  /**
   * Keeps a value in place of the one before.
   * @param expected as it was read: if the key has another value by now, or none, nothing is changed. Without it the
   *   value is kept whatever was there.
   * @returns whether the value is kept
   */
  replace(key: StateKey, value: StateValue, expected?: StateValue): Promise<boolean>;
  /**
   * Removes a key. Safe to repeat.
   * @param expected as it was read: if the key has another value by now, it stays.
   * @returns whether there was something to remove, and it was removed
   */
  remove(key: StateKey, expected?: StateValue): Promise<boolean>;
  /**
   * All keys that begin so, in no order. The prefix contains the group and its slash.
   * @param onDamaged called for each key whose value is damaged, which is then left out. Without it, the first damaged
   *   value makes `list` throw.
   */
  list(prefix: StateKey, onDamaged?: (key: StateKey, error: Error) => void): Promise<StateEntry[]>;
}
