/** Drivers of clouds, shared by those who would make the same one. */
import type { Driver, DriverContext } from "../../drivers/contract/driver.js";

/** What a driver's user answers for. */
export type DriverUser = Pick<DriverContext, "warn" | "permit">;

/** Which driver: two users share one if both parts are equal. */
export interface DriverKey {
  /** Everything that the driver is made from: the module, the cloud's resolved options, whether it only looks. */
  readonly settings: string;
  /**
   * Whose permission its calls need: the writer that holds the lease, or null where nothing may be changed. Calls of two
   * leases never go through one driver: it may put them into one request.
   */
  readonly authority: object | null;
}

/** A driver in use. */
export interface DriverShare {
  readonly driver: Promise<Driver>;
  /**
   * Gives it back; the last user closes it, before their lease goes. Safe to repeat.
   * @param signal aborted when the operator wants to stop.
   */
  release(signal: AbortSignal): Promise<void>;
}

interface SharedDriver {
  readonly key: DriverKey;
  readonly users: Set<DriverUser>;
  readonly driver: Promise<Driver>;
}

export class DriverRegistry {
  private readonly drivers = new Set<SharedDriver>();

  /** @param make called where nobody has such a driver. What it is given speaks for whoever uses the driver then. */
  take(key: DriverKey, user: DriverUser, make: (users: DriverUser) => Promise<Driver>): DriverShare {
    const shared = this.find(key) ?? this.add(key, user, make);
    shared.users.add(user);
    return {
      driver: shared.driver,
      release: async (signal) => {
        if (!shared.users.delete(user) || shared.users.size > 0) return;
        this.drivers.delete(shared);
        await (await shared.driver).close?.(signal);
      },
    };
  }

  private find({ settings, authority }: DriverKey): SharedDriver | undefined {
    return [...this.drivers].find(({ key }) => key.settings === settings && key.authority === authority);
  }

  private add(key: DriverKey, first: DriverUser, make: (users: DriverUser) => Promise<Driver>): SharedDriver {
    const users = new Set<DriverUser>();
    const any = (): DriverUser => users.values().next().value ?? first;
    const driver = make({
      warn: (message) => {
        any().warn(message);
      },
      permit: () => any().permit(),
    });
    const shared = { key, users, driver };
    this.drivers.add(shared);
    // Whoever asks next tries again; whoever waits for it is told.
    driver.catch(() => this.drivers.delete(shared));
    return shared;
  }
}
