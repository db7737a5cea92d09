/** State of a driver that is asked questions only: it goes with the process. */
import { isDeepStrictEqual } from "node:util";

import type { DriverState, StateKey, StateValue } from "../contract/driver.js";

/** Values are kept as JSON, as everywhere: nobody changes them from outside. */
export function memoryState(): DriverState {
  const texts = new Map<StateKey, string>();
  const get = (key: StateKey): StateValue | null => {
    const text = texts.get(key);
    return text === undefined ? null : (JSON.parse(text) as StateValue);
  };
  const isAs = (key: StateKey, expected: StateValue | undefined) =>
    expected === undefined || isDeepStrictEqual(get(key), JSON.parse(JSON.stringify(expected)));
  return {
    get: async (key) => get(key),
    insert: async (key, value) => {
      if (texts.has(key)) return false;
      texts.set(key, JSON.stringify(value));
      return true;
    },
    replace: async (key, value, expected) => {
      if (!isAs(key, expected)) return false;
      texts.set(key, JSON.stringify(value));
      return true;
    },
    remove: async (key, expected) => isAs(key, expected) && texts.delete(key),
    list: async (prefix) =>
      [...texts.keys()].flatMap((key) => {
        const value = key.startsWith(prefix) ? get(key) : null;
        return value === null ? [] : [{ key, value }];
      }),
  };
}
