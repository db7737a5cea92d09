/**
 * The JSON Schemas of the documents that `--json` prints, as the package publishes them. Readers must allow new keys, so
 * the published schemas do; here every key that a schema does not know is a mistake.
 */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { Ajv, type ValidateFunction } from "ajv";

const FOLDER = fileURLToPath(new URL("../../schemas/output/", import.meta.url));

/** A schema as its file says it. */
export type Schema = Readonly<Record<string, unknown>>;

/** The schemas by name: `boot`, `boot-dry-run`, `error`, …, and `shared` for parts of several. */
export function documentSchemas(): ReadonlyMap<string, Schema> {
  return new Map(
    readdirSync(FOLDER).map((file) => [
      file.replace(/\.schema\.json$/, ""),
      JSON.parse(readFileSync(FOLDER + file, "utf8")) as Schema,
    ]),
  );
}

/** The name of the schema that a document must follow. */
export function schemaName(document: Readonly<Record<string, unknown>>): string {
  if ("error" in document) return "error";
  const command = String(document["command"]);
  if (command === "boot" && "dryRun" in document) return "boot-dry-run";
  return command === "rerun" || command === "reboot" ? "boot" : command;
}

let validators: ReadonlyMap<string, ValidateFunction> | undefined;

/** @throws an Error that names every place where the document breaks its schema */
export function checkDocument(document: Readonly<Record<string, unknown>>): void {
  validators ??= compile();
  const name = schemaName(document);
  const validate = validators.get(name);
  if (validate === undefined) throw new Error(`there is no schemas/output/${name}.schema.json`);
  if (validate(document)) return;
  const places = (validate.errors ?? []).map(
    ({ instancePath, message = "", params }) => `  ${instancePath || "/"}: ${message} ${JSON.stringify(params)}`,
  );
  throw new Error(
    `a document breaks schemas/output/${name}.schema.json:\n${places.join("\n")}\n${JSON.stringify(document)}`,
  );
}

function compile(): ReadonlyMap<string, ValidateFunction> {
  const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true });
  const schemas = documentSchemas();
  for (const schema of schemas.values()) ajv.addSchema(closed(schema) as Schema);
  return new Map(
    [...schemas]
      .filter(([name]) => name !== "shared")
      .map(([name, { $id }]) => [name, ajv.getSchema(String($id)) as ValidateFunction]),
  );
}

/** The schema with no further keys allowed wherever it lists some. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return copy["type"] !== undefined && typeof copy["properties"] === "object" && !("additionalProperties" in copy)
    ? { ...copy, additionalProperties: false }
    : copy;
}
