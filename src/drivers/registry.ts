/**
 * Finds drivers: built-in ones, module files, and npm packages that are installed beside the plan or beside bootlevel.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";

import { DriverError, type DriverDefinition } from "./contract/driver.js";

const builtIn: Readonly<Record<string, () => Promise<DriverDefinition>>> = {
  local: async () => (await import("./local/localDriver.js")).default,
  existing: async () => (await import("./existing/existingDriver.js")).default,
  sim: async () => (await import("./sim/simDriver.js")).default,
  ec2: async () => (await import("./ec2/ec2Driver.js")).default,
};

/**
 * Loads a driver.
 * @param name `local`, `existing`, `sim`, `ec2`, a file (`./driver.js`, `/opt/driver.js`) or an npm package.
 * @param planDirectory the directory in which relative files and packages are looked up first.
 * @throws DriverError if it cannot be found or loaded, or is not a driver.
 */
export async function loadDriver(name: string, planDirectory: string): Promise<DriverDefinition> {
  if (Object.hasOwn(builtIn, name)) return (builtIn[name] as () => Promise<DriverDefinition>)();
  const module = await importDriver(name, planDirectory);
  const definition = (module as { default?: unknown }).default;
  if (isDefinition(definition)) return definition;
  throw new DriverError(
    `"${name}" is not a driver: ` +
      "its default export must be a DriverDefinition with name, cloudSchema, launchSchema, sshDefaults and create()",
  );
}

async function importDriver(name: string, planDirectory: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(locate(name, planDirectory)).href);
  } catch (error) {
    const missing =
      (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND" ||
      (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    const remedy =
      missing && !isFile(name)
        ? `; built-in drivers are ${Object.keys(builtIn).join(", ")}; to install a package: npm install ${name}`
        : "";
    throw new DriverError(
      `driver "${name}" cannot be loaded: ` +
        `${firstLine((error as Error).message).replace(/ imported from .*/, "")}${remedy}`,
      { cause: error },
    );
  }
}

function locate(name: string, planDirectory: string): string {
  if (isAbsolute(name)) return name;
  if (isFile(name)) return join(planDirectory, name);
  // Beside the plan first, then beside bootlevel.
  const places = [join(planDirectory, "package.json"), import.meta.url];
  for (const place of places) {
    const folder = (createRequire(place).resolve.paths(name) ?? [])
      .map((modules) => join(modules, name))
      .find((candidate) => existsSync(join(candidate, "package.json")));
    if (folder !== undefined) return packageEntry(folder);
  }
  throw Object.assign(new Error(`no package "${name}" is installed beside the plan or beside bootlevel`), {
    code: "MODULE_NOT_FOUND",
  });
}

/**
 * The module that `import` of the package would load. `require.resolve` does not find packages that support only
 * `import`.
 */
function packageEntry(folder: string): string {
  const { exports, main } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    exports?: unknown;
    main?: string;
  };
  return join(folder, exportedFile(exports) ?? main ?? "index.js");
}

function exportedFile(exports: unknown): string | null {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return null;
  const conditions = exports as Record<string, unknown>;
  return exportedFile(conditions["."] ?? conditions["import"] ?? conditions["node"] ?? conditions["default"]);
}

function isFile(name: string): boolean {
  return name.startsWith(".") || isAbsolute(name);
}

function isDefinition(value: unknown): value is DriverDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { name, create, sshDefaults, cloudSchema, launchSchema } = value as Partial<DriverDefinition>;
  const schemas = [cloudSchema, launchSchema].every((schema) => typeof schema === "object"); // null accepts nothing
  return (
    typeof name === "string" &&
    typeof create === "function" &&
    typeof sshDefaults === "object" &&
    sshDefaults !== null &&
    schemas
  );
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
