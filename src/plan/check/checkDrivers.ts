/** Loads the drivers that a plan names, and checks their keys. */
import { resolve } from "node:path";
import type { DriverDefinition } from "../../drivers/contract/driver.js";
import { IMPLICIT_CLOUD, keyOf, replicasOf, type Draft, type DraftService } from "../draft/draft.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { checkDriverSchema } from "../schema/schema.js";
import { suggest } from "../../text/suggest.js";
import { cloudOptions, usedClouds } from "../draft/templates.js";

/**
 * Finds a driver by its name (`local`, a package, the absolute path of a module). Rejects with the reason if it cannot.
 */
export type DriverLookup = (name: string, planDir: string) => Promise<DriverDefinition>;

export interface LoadedDrivers {
  readonly mistakes: Mistake[];
  /** By the cloud's name. */
  readonly definitions: ReadonlyMap<string, DriverDefinition>;
}

/** The plan's own schema contains the keys of these drivers. */
const IN_PLAN_SCHEMA = ["local", "existing"];
const BUILT_IN = [...IN_PLAN_SCHEMA, "sim", "ec2"];

export async function checkDrivers(draft: Draft, lookup: DriverLookup): Promise<LoadedDrivers> {
  const mistakes: Mistake[] = [];
  const definitions = new Map<string, DriverDefinition>();
  for (const [name, cloud] of draft.clouds) {
    const driver = cloud.get("driver");
    if (driver === null) continue;
    try {
      definitions.set(name, await lookup(driverName(driver), driver.dir));
    } catch (error) {
      const written = driver.text ?? "";
      const reason = firstLine(error);
      const message = /^(the )?driver "/.test(reason) ? reason : `driver "${written}" cannot be loaded: ${reason}`;
      mistakes.push(driver.mistake(message, suggest(written, BUILT_IN)));
    }
  }
  if (usedClouds(draft).has(IMPLICIT_CLOUD) && !draft.clouds.has(IMPLICIT_CLOUD))
    definitions.set(IMPLICIT_CLOUD, await lookup("local", draft.root.dir));
  return {
    mistakes: [
      ...mistakes,
      ...checkClouds(draft, definitions),
      ...checkLaunches(draft, definitions),
      ...checkPools(draft),
    ],
    definitions,
  };
}

/** The name that is used to load a driver: a path becomes absolute, any other name is unchanged. */
export function driverName(driver: Located): string {
  const written = driver.text ?? "";
  return /^(\.{1,2})?\//.test(written) ? resolve(driver.dir, written) : written;
}

function checkClouds(draft: Draft, definitions: ReadonlyMap<string, DriverDefinition>): Mistake[] {
  return [...draft.clouds].flatMap(([name, cloud]) => {
    const definition = definitions.get(name);
    const driver = cloud.get("driver");
    if (definition === undefined || driver === null || IN_PLAN_SCHEMA.includes(driver.text ?? "")) return [];
    const options = Object.fromEntries(cloudOptions(cloud).map(([key, place]) => [key, place.value]));
    return checked(cloud, options, definition.cloudSchema, driver);
  });
}

/** A pool serves one replica a host, so more replicas than hosts could never all start. */
function checkPools(draft: Draft): Mistake[] {
  return [...draft.clouds].flatMap(([name, cloud]) => {
    const hosts = cloud.get("hosts");
    if (cloud.get("driver")?.text !== "existing" || hosts === null || !Array.isArray(hosts.value)) return [];
    const services = draft.levels.flatMap((level) => level.services).filter((service) => service.cloud === name);
    const wanted = services.reduce((sum, service) => sum + (service.replicasKnown ? replicasOf(service) : 0), 0);
    const count = hosts.value.length;
    if (wanted <= count) return [];
    return [
      hosts.mistake(
        `cloud "${name}" has ${count} host${count === 1 ? "" : "s"}, but the plan's services need ${wanted}: ` +
          `add ${wanted - count}, or lower the replicas of ${services.map((service) => service.name).join(", ")}`,
        null,
        "key",
      ),
    ];
  });
}

function checkLaunches(draft: Draft, definitions: ReadonlyMap<string, DriverDefinition>): Mistake[] {
  const done = new Set<string>();
  return draft.levels
    .flatMap(({ services }) => services)
    .flatMap((service) => {
      const definition = service.cloud === null ? undefined : definitions.get(service.cloud);
      return definition === undefined ? [] : checkLaunch(service, definition, done);
    });
}

function checkLaunch(service: DraftService, definition: DriverDefinition, done: Set<string>): Mistake[] {
  const launch = keyOf(service, "launch");
  const place = launch ?? service.own;
  // `launch:` in the defaults is the same text for every service.
  const key = JSON.stringify([place.source.path, place.path, definition.name]);
  if (done.has(key)) return [];
  done.add(key);
  const value = (launch?.value ?? {}) as Readonly<Record<string, unknown>>;
  return checked(place, value, definition.launchSchema, place);
}

function checked(
  place: Located,
  value: Readonly<Record<string, unknown>>,
  schema: object | null,
  blame: Located,
): Mistake[] {
  try {
    return checkDriverSchema(place, value, schema);
  } catch (error) {
    return [blame.mistake(`the driver's schema is invalid, report this to its author: ${firstLine(error)}`)];
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
