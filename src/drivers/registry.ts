/** Finds drivers: the built-in ones, a module file, or an npm package that is installed beside the plan or beside bootlevel. */
import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";

import { DriverError, type DriverDefinition } from "./driver.js";

const builtIn: Readonly<Record<string, () => Promise<DriverDefinition>>> = {
  local: async () => (await import("./local/localDriver.js")).default,
  existing: async () => (await import("./existing/existingDriver.js")).default,
};

/**
 * Loads a driver.
 * @param name `local`, `existing`, a file (`./driver.js`, `/opt/driver.js`) or an npm package.
 * @param planDirectory where relative files and packages are looked for first.
 * @throws DriverError if it cannot be found, loaded, or is no driver.
 */
export async function loadDriver(name: string, planDirectory: string): Promise<DriverDefinition> {
  if (Object.hasOwn(builtIn, name)) return (builtIn[name] as () => Promise<DriverDefinition>)();
  const module = await importDriver(name, planDirectory);
  const definition = (module as { default?: unknown }).default;
  if (isDefinition(definition)) return definition;
  throw new DriverError(`"${name}" is no driver: its default export must be a DriverDefinition with name, cloudSchema, launchSchema, sshDefaults and create()`);
}

async function importDriver(name: string, planDirectory: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(locate(name, planDirectory)).href);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND" || (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    const remedy = missing && !isFile(name) ? `; built in are ${Object.keys(builtIn).join(", ")}; for a package, run: npm install ${name}` : "";
    throw new DriverError(`driver "${name}" cannot be loaded: ${firstLine((error as Error).message)}${remedy}`, { cause: error });
  }
}

function locate(name: string, planDirectory: string): string {
  if (isAbsolute(name)) return name;
  if (isFile(name)) return join(planDirectory, name);
  try {
    return createRequire(join(planDirectory, "package.json")).resolve(name);
  } catch {
    return createRequire(import.meta.url).resolve(name); // not beside the plan: then beside bootlevel, whose error is the one to show
  }
}

function isFile(name: string): boolean {
  return name.startsWith(".") || isAbsolute(name);
}

function isDefinition(value: unknown): value is DriverDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { name, create, sshDefaults } = value as Partial<DriverDefinition>;
  return typeof name === "string" && typeof create === "function" && typeof sshDefaults === "object";
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
