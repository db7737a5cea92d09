/**
 * Things that only one machine may have at a time (a loopback address, a host of a pool): inserting the key is the
 * claim, so launchers that meet do not share one, whoever dies when.
 */
import { isBootlevelError } from "../../errors/bootlevelError.js";
import type { DriverState, StateKey, StateValue } from "../contract/driver.js";

export interface Claim<T> {
  readonly name: string;
  readonly holder: T;
}

const GROUP = "claims/";

/** Claims of a driver. @template T what is known of a holder: a JSON value. */
export class Claims<T extends StateValue> {
  private readonly told = new Set<string>();

  /** @param warn told once of each damaged claim. Default: nobody is. */
  constructor(
    private readonly state: DriverState,
    private readonly warn: (message: string) => void = () => undefined,
  ) {}

  /** @returns false if somebody has it already. The claim appears whole, with its holder, and is durable. */
  take(name: string, holder: T): Promise<boolean> {
    return this.state.insert(key(name), holder);
  }

  /** Gives it up, if this is its holder still: one that another machine has by now stays that machine's. */
  async release(name: string, holder: T): Promise<void> {
    await this.state.remove(key(name), holder);
  }

  /** Who has it, or null. @throws StateError for a damaged claim. */
  async holder(name: string): Promise<T | null> {
    return (await this.state.get(key(name))) as T | null;
  }

  /** Writes a damaged claim again, for a holder that is known from elsewhere. */
  async mend(name: string, holder: T): Promise<void> {
    await this.state.replace(key(name), holder);
  }

  /** Warns of a damaged claim, once. @param help what was done, or is to be done. Default: the error's remedy. */
  report(name: string, error: Error, help = isBootlevelError(error) ? error.remedy : ""): void {
    if (!this.told.has(name)) this.warn(`${error.message}; ${help}`);
    this.told.add(name);
  }

  /**
   * All claims. One that is damaged stops nobody but its holder.
   * @param damaged gets the names whose claims are damaged, and why: they are taken, and nobody knows by whom.
   */
  async all(damaged = new Map<string, Error>()): Promise<Claim<T>[]> {
    const entries = await this.state.list(GROUP, (found, error) => damaged.set(found.slice(GROUP.length), error));
    return entries.map(({ key: found, value }) => ({ name: found.slice(GROUP.length), holder: value as T }));
  }
}

function key(name: string): StateKey {
  return `${GROUP}${name}`;
}
