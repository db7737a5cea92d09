/**
 * Things that only one machine may have at a time (a loopback address, a host of a pool): inserting the key is the
 * claim, so launchers that meet do not share one, whoever dies when.
 */
import type { DriverState, StateKey, StateValue } from "../contract/driver.js";

export interface Claim<T> {
  readonly name: string;
  readonly holder: T;
}

const GROUP = "claims/";

/** Claims of a driver. @template T what is known of a holder: a JSON value. */
export class Claims<T extends StateValue> {
  constructor(private readonly state: DriverState) {}

  /** @returns false if somebody has it already. The claim appears whole, with its holder, and is durable. */
  take(name: string, holder: T): Promise<boolean> {
    return this.state.insert(key(name), holder);
  }

  /** Gives it up, if this is its holder still: one that another machine has by now stays that machine's. */
  async release(name: string, holder: T): Promise<void> {
    await this.state.remove(key(name), holder);
  }

  /** Who has it, or null. */
  async holder(name: string): Promise<T | null> {
    return (await this.state.get(key(name))) as T | null;
  }

  async all(): Promise<Claim<T>[]> {
    const entries = await this.state.list(GROUP);
    return entries.map(({ key: found, value }) => ({ name: found.slice(GROUP.length), holder: value as T }));
  }
}

function key(name: string): StateKey {
  return `${GROUP}${name}`;
}
