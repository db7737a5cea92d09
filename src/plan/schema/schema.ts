/** Checks data against JSON Schemas. Reports each mistake in the terms of a plan's author. */
import { readFileSync } from "node:fs";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { durationMs, LONGEST_DURATION_MS } from "../../time/duration.js";
import { parseByteSize } from "../../text/byteSize.js";
import { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { schemaMistake } from "./schemaMessages.js";
import { templateReferences } from "../references/references.js";
import type { Path } from "../yaml/yamlData.js";
import { packageFile } from "../../files/packageFile.js";

/** The mistakes, and the data without its invalid parts. Later checks use the valid rest. */
export interface SchemaResult {
  readonly mistakes: Mistake[];
  readonly healthy: Located;
  /** Paths of the parts that were removed. */
  readonly cut: readonly Path[];
}

/** Which text is checked: a whole plan, or the file of one level. */
export type PlanPart = "plan" | "level";

interface PlanSchema {
  readonly $id: string;
  readonly definitions: { readonly image: { readonly properties: Readonly<Record<string, unknown>> } };
}

let compiled: Record<PlanPart, ValidateFunction> | undefined;
let read: PlanSchema | undefined;
let keysOfImages: readonly string[] | undefined;

/** The keys of an image. Every other key is the name of a cloud. */
export function imageKeys(): readonly string[] {
  return (keysOfImages ??= Object.keys(planSchema().definitions.image.properties));
}

/** Checks a plan's or a level file's data against `schemas/launch-plan.schema.json`. */
export function checkSchema(root: Located, part: PlanPart): SchemaResult {
  compiled ??= compilePlanSchema();
  return check(compiled[part], root);
}

/**
 * Checks a driver's keys against the driver's own schema. Strings with references are not checked, because their values
 * are known only at launch. @throws if the schema itself is invalid.
 */
export function checkDriverSchema(
  place: Located,
  data: Readonly<Record<string, unknown>>,
  schema: object | null,
): Mistake[] {
  const validate = driverValidator(schema ?? NOTHING);
  validate(data);
  const errors = (validate.errors ?? []).filter((error) => typeof error.data !== "string" || !hasReference(error.data));
  return mistakesOf(errors, place).map(({ mistake }) => mistake);
}

const NOTHING = { type: "object", additionalProperties: false };
const driverValidators = new WeakMap<object, ValidateFunction>();

function driverValidator(schema: object): ValidateFunction {
  const known = driverValidators.get(schema);
  if (known !== undefined) return known;
  const made = newAjv(schema === NOTHING).compile(schema);
  driverValidators.set(schema, made);
  return made;
}

function check(validate: ValidateFunction, root: Located): SchemaResult {
  validate(root.value);
  const found = mistakesOf(validate.errors ?? [], root);
  const data = structuredClone(root.value);
  const cut = found.map(({ cut }) => cut).filter((path) => path !== null);
  const healthy = cut.some((path) => path.length === 0) ? undefined : data;
  for (const path of cut) remove(data, path);
  return { mistakes: found.map(({ mistake }) => mistake), healthy: Located.root(root.source, healthy), cut };
}

function mistakesOf(errors: readonly ErrorObject[], root: Located): { mistake: Mistake; cut: Path | null }[] {
  return errors.map((error) => schemaMistake(error, root)).filter((found) => found !== null);
}

/** Removes the value at `path`. In a list it leaves a hole, so that the other items keep their index. */
function remove(data: unknown, path: Path): void {
  let parent = data;
  for (const step of path.slice(0, -1))
    parent = typeof parent === "object" && parent !== null ? (parent as Record<string, unknown>)[step] : undefined;
  const last = path.at(-1);
  if (last === undefined || typeof parent !== "object" || parent === null) return;
  if (Array.isArray(parent)) parent[Number(last)] = undefined;
  else delete (parent as Record<string, unknown>)[last];
}

function compilePlanSchema(): Record<PlanPart, ValidateFunction> {
  const schema = planSchema();
  const ajv = newAjv(true);
  return { plan: ajv.compile(schema), level: ajv.compile({ $ref: `${schema.$id}#/definitions/levelFile` }) };
}

function planSchema(): PlanSchema {
  return (read ??= JSON.parse(readFileSync(packageFile("schemas/launch-plan.schema.json"), "utf8")) as PlanSchema);
}

/** @param own true for bootlevel's own schema, which the tests have validated. A driver's schema is validated here. */
function newAjv(own: boolean): Ajv {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    ownProperties: true,
    strict: own,
    strictTypes: false,
    strictRequired: false,
    logger: false,
    validateFormats: own,
    meta: !own,
    validateSchema: !own,
    // Each check runs once: optimizing its code would take longer than running it.
    code: { optimize: false },
  });
  ajv.addVocabulary(["x-mistake", "doNotSuggest"]);
  ajv.addFormat("duration-up-to-24d", (text) => !(durationMs(text) <= 0 || durationMs(text) > LONGEST_DURATION_MS));
  const between = (least: string, most: string) => (text: string) =>
    !(parseByteSize(text) < parseByteSize(least) || parseByteSize(text) > parseByteSize(most));
  ajv.addFormat("size-of-a-log", between("64KiB", "64GiB"));
  ajv.addFormat("size-of-a-report", between("1KiB", "16384GiB"));
  // Ajv's own rule calls methods of the data, and a key such as "valueOf" would replace one of them.
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    validate: (wanted: boolean, items: unknown[]) =>
      !wanted || new Set(items.map((item) => JSON.stringify(item))).size === items.length,
    errors: false,
  });
  return ajv;
}

function hasReference(text: string): boolean {
  return templateReferences(text).length > 0;
}
