/** The drivers of a run's clouds, made when they are first needed. */

import { exists } from "../../files/exists.js";
import type { Driver, DriverContext } from "../../drivers/contract/driver.js";
import { loadDriver } from "../../drivers/registry.js";
import type { CloudSpec, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { resolveTree } from "../../plan/references/resolve.js";
import type { Store } from "../../state/contract/store.js";
import { type AttributeRegistry, isUnresolvedError } from "../attributes/attributes.js";
import type { DriverRegistry, DriverShare } from "./driverRegistry.js";
import { guardDriver } from "./guardedDriver.js";
import { makeFolder } from "./launcherFolder.js";
import { withContacts, type LaunchContactsParts } from "./launchContacts.js";

export interface CloudsParts {
  /** The plan that the run follows now. */
  readonly plan: () => Pick<LaunchPlan, "clouds" | "dir">;
  readonly store: Store;
  readonly attributes: AttributeRegistry;
  readonly warn: (message: string) => void;
  /** Rejects when this launcher must call no cloud any more. */
  readonly prove: () => Promise<void>;
  /** What machines are given for their first contact; its writer is null for a command that only looks. */
  readonly contacts: LaunchContactsParts;
  /** Where the drivers are, which may have other users. */
  readonly drivers: DriverRegistry;
}

interface OpenCloud {
  /** What the driver was made from. */
  readonly settings: string;
  readonly share: DriverShare;
  /** The driver, its calls guarded. */
  readonly driver: Promise<Driver>;
}

export class Clouds {
  private readonly open = new Map<string, OpenCloud>();
  /** Drivers of clouds that a newer plan describes otherwise. Calls under way go on, so they are closed at the end. */
  private readonly superseded: OpenCloud[] = [];

  constructor(private readonly parts: CloudsParts) {}

  /** The names of the clouds that the run has. */
  get names(): string[] {
    return Object.keys(this.parts.plan().clouds);
  }

  /** The driver of a cloud of the plan. @throws DriverError if it cannot be loaded. */
  async driver(cloud: string): Promise<Driver> {
    const known = this.open.get(cloud) ?? this.make(this.parts.plan().clouds[cloud] as CloudSpec);
    this.open.set(cloud, known);
    return known.driver;
  }

  /** Goes by the plan as it is now. Drivers of clouds that are what they were are kept. */
  follow(): void {
    for (const [name, cloud] of [...this.open]) {
      if (cloud.settings === this.settingsNow(name)) continue;
      this.open.delete(name);
      this.superseded.push(cloud);
    }
  }

  /** @param signal aborted when the operator wants to stop. */
  async close(signal: AbortSignal): Promise<void> {
    const clouds = [...this.superseded.splice(0), ...this.open.values()];
    this.open.clear();
    for (const { share } of clouds) await share.release(signal);
  }

  private make(cloud: CloudSpec): OpenCloud {
    const { store, warn, prove, contacts, drivers } = this.parts;
    const { dir } = this.parts.plan();
    const options = this.options(cloud);
    const settings = settingsOf(cloud, dir, options, this.readOnly);
    const share = drivers.take({ settings, authority: contacts.writer }, { warn, permit: prove }, (users) =>
      createDriver(store, cloud, dir, options, { ...users, readOnly: this.readOnly }),
    );
    return { settings, share, driver: this.guard(cloud, dir, share.driver) };
  }

  private async guard(cloud: CloudSpec, dir: string, made: Promise<Driver>): Promise<Driver> {
    const { store, prove, contacts, warn } = this.parts;
    const noteAsked = async (keys: readonly string[]) =>
      contacts.writer?.write(...keys.map((key) => ({ kind: "launch-repeated", key }) as const));
    const guarded = guardDriver(await made, {
      cloud: cloud.name,
      clock: store.clock,
      prove,
      probe: store.probe,
      noteAsked,
      random: store.random,
      warn,
    });
    const { preparesMachines } = await loadDriver(cloud.driver, dir);
    return preparesMachines === true ? withContacts(guarded, contacts) : guarded;
  }

  private get readOnly(): boolean {
    return this.parts.contacts.writer === null;
  }

  private options(cloud: CloudSpec): Readonly<Record<string, unknown>> {
    const { attributes } = this.parts;
    return resolveTree(cloud.options, (reference) => attributes.lookup(reference, null));
  }

  /** What the driver of a cloud would be made from now; null where there is none, or its values are not known. */
  private settingsNow(name: string): string | null {
    const { clouds, dir } = this.parts.plan();
    const cloud = Object.hasOwn(clouds, name) ? clouds[name] : undefined;
    if (cloud === undefined) return null;
    try {
      return settingsOf(cloud, dir, this.options(cloud), this.readOnly);
    } catch (error) {
      if (!isUnresolvedError(error)) throw error;
      return null;
    }
  }
}

function settingsOf({ name, driver }: CloudSpec, dir: string, options: unknown, readOnly: boolean): string {
  return JSON.stringify([name, driver, dir, options, readOnly]);
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
  const stateDirectory = store.folders.driver(definition.name);
  // A command that only looks makes nothing where there is no installation.
  if (!parts.readOnly || exists(store.folders.installation)) makeFolder(store, stateDirectory);
  return definition.create({
    cloud: cloud.name,
    options,
    state: store.driverState(definition.name),
    stateDirectory,
    clock: store.clock,
    env: store.env,
    ...parts,
  });
}
