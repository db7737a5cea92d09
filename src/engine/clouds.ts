/** The drivers of a run's clouds, made when they are first needed. */
import { mkdirSync } from "node:fs";

import type { Driver } from "../drivers/driver.js";
import { loadDriver } from "../drivers/registry.js";
import type { CloudSpec, LaunchPlan } from "../plan/launchPlan.js";
import { resolveTree } from "../plan/resolve.js";
import type { Store } from "../state/store.js";
import type { AttributeBook } from "./attributes.js";

export class Clouds {
  private readonly drivers = new Map<string, Promise<Driver>>();

  constructor(
    private readonly plan: LaunchPlan,
    private readonly store: Store,
    private readonly book: AttributeBook,
    private readonly warn: (message: string) => void,
  ) {}

  /** The driver of a cloud of the plan. @throws DriverError if it cannot be loaded. */
  driver(cloud: string): Promise<Driver> {
    const known = this.drivers.get(cloud);
    if (known) return known;
    const made = this.make(this.plan.clouds[cloud] as CloudSpec);
    this.drivers.set(cloud, made);
    return made;
  }

  async close(): Promise<void> {
    for (const driver of this.drivers.values()) await (await driver).close?.();
  }

  private async make(cloud: CloudSpec): Promise<Driver> {
    const definition = await loadDriver(cloud.driver, this.plan.dir);
    const stateDirectory = this.store.home.driverDirectory(definition.name);
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    const options = resolveTree(cloud.options, (reference) => this.book.lookup(reference, null));
    return definition.create({ cloud: cloud.name, options, stateDirectory, warn: this.warn });
  }
}
