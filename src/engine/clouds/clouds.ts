/** The drivers of a run's clouds, made when they are first needed. */
import { mkdirSync } from "node:fs";

import type { Driver, DriverContext } from "../../drivers/contract/driver.js";
import { loadDriver } from "../../drivers/registry.js";
import type { CloudSpec, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { resolveTree } from "../../plan/references/resolve.js";
import type { Store } from "../../state/sqlite/store.js";
import type { AttributeRegistry } from "../attributes/attributes.js";
import { guardDriver } from "./guardedDriver.js";
import { withContacts, type LaunchContactsParts } from "./launchContacts.js";

export interface CloudsParts {
  readonly plan: Pick<LaunchPlan, "clouds" | "dir">;
  readonly store: Store;
  readonly attributes: AttributeRegistry;
  readonly warn: (message: string) => void;
  /** Throws when this launcher must call no cloud any more. */
  readonly prove: () => void;
  /** Whether the command only looks. */
  readonly readOnly: boolean;
  /** What machines are given for their first contact. */
  readonly contacts: LaunchContactsParts;
}

export class Clouds {
  private readonly drivers = new Map<string, Promise<Driver>>();

  constructor(private readonly parts: CloudsParts) {}

  /** The names of the clouds that the run has. */
  get names(): string[] {
    return Object.keys(this.parts.plan.clouds);
  }

  /** The driver of a cloud of the plan. @throws DriverError if it cannot be loaded. */
  driver(cloud: string): Promise<Driver> {
    const known = this.drivers.get(cloud);
    if (known) return known;
    const made = this.make(this.parts.plan.clouds[cloud] as CloudSpec);
    this.drivers.set(cloud, made);
    return made;
  }

  /** @param signal aborted when the operator wants to stop. */
  async close(signal: AbortSignal): Promise<void> {
    const drivers = [...this.drivers.values()];
    this.drivers.clear();
    for (const driver of drivers) await (await driver).close?.(signal);
  }

  private async make(cloud: CloudSpec): Promise<Driver> {
    const { plan, store, attributes, warn, prove, readOnly, contacts } = this.parts;
    const options = resolveTree(cloud.options, (reference) => attributes.lookup(reference, null));
    const driver = await createDriver(store, cloud, plan.dir, options, { warn, permit: prove, readOnly });
    const noteAsked = async (keys: readonly string[]) =>
      contacts.writer?.write(...keys.map((key) => ({ kind: "launch-repeated", key }) as const));
    const guarded = guardDriver(driver, {
      cloud: cloud.name,
      clock: store.clock,
      prove,
      probe: store.probe,
      noteAsked,
      random: store.random,
    });
    const { preparesMachines } = await loadDriver(cloud.driver, plan.dir);
    return preparesMachines === true ? withContacts(guarded, contacts) : guarded;
  }
}

/** Makes the driver of a cloud whose options are resolved. @throws DriverError if it cannot be loaded. */
export async function createDriver(
  store: Store,
  cloud: CloudSpec,
  planDirectory: string,
  options: Readonly<Record<string, unknown>>,
  parts: Pick<DriverContext, "warn" | "permit" | "readOnly">,
): Promise<Driver> {
  const definition = await loadDriver(cloud.driver, planDirectory);
  const stateDirectory = store.home.driverDirectory(definition.name);
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  return definition.create({
    cloud: cloud.name,
    options,
    stateDirectory,
    clock: store.clock,
    env: store.env,
    ...parts,
  });
}
