/**
 * Turns one error of the schema validator into a sentence with its place, and names the data to exclude from later
 * checks.
 */
import type { ErrorObject } from "ajv";
import { isRecord, type Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import type { Part } from "../yaml/source.js";
import { placeName } from "../yaml/places.js";
import { suggest } from "../../text/suggest.js";
import type { Path } from "../yaml/yamlData.js";

interface Found {
  readonly mistake: Mistake;
  readonly cut: Path | null;
}

/**
 * Null for an error that only repeats another one: a branch of `oneOf`, or the outer error of `if` and `propertyNames`.
 */
export function schemaMistake(error: ErrorObject, root: Located): Found | null {
  if (error.keyword === "if" || error.keyword === "propertyNames" || /\/(anyOf|oneOf)\/\d+\//.test(error.schemaPath))
    return null;
  const path = pathOf(error.instancePath, root.value);
  switch (error.keyword) {
    case "additionalProperties":
      return unknownKey(error, root, path);
    case "required":
      return found(
        root,
        path,
        "key",
        custom(error, root, path) ?? `${nameOf(root, path)} needs the key "${String(error.params.missingProperty)}"`,
      );
    case "enum":
      return unknownChoice(error, root, path);
    default:
      if (error.propertyName !== undefined) return badName(error, root, path);
      return found(
        root,
        path,
        error.keyword === "not" && isReserved(error) ? "key" : "value",
        custom(error, root, path) ?? `${nameOf(root, path)} ${complaint(error)}`,
      );
  }
}

function found(root: Located, path: Path, part: Part, message: string, suggestion: string | null = null): Found {
  return { mistake: root.source.mistake(absolute(root, path), part, message, suggestion), cut: path };
}

function unknownKey(error: ErrorObject, root: Located, path: Path): Found {
  const key = String(error.params.additionalProperty);
  const at = [...path, key];
  const sentence = custom(error, root, at)?.replaceAll("{key}", () => `"${key}"`);
  if (sentence !== undefined) return found(root, at, "key", sentence);
  const known = knownKeys(error.parentSchema);
  const near = suggest(key, known);
  const keys = known.length === 0 ? "it takes no keys" : `valid keys are ${list(known)}`;
  return found(
    root,
    at,
    "key",
    `unknown key "${key}" in ${nameOf(root, path)}${near === null ? `: ${keys}` : ""}`,
    near,
  );
}

function unknownChoice(error: ErrorObject, root: Located, path: Path): Found {
  const choices = (error.params.allowedValues as unknown[]).map(String);
  const sentence = custom(error, root, path);
  if (sentence !== null) return found(root, path, "value", sentence);
  const near = typeof error.data === "string" ? suggest(error.data, choices) : null;
  return found(
    root,
    path,
    "value",
    `${nameOf(root, path)} must be ${list(choices, "or")}, not ${describe(error.data)}`,
    near,
  );
}

function badName(error: ErrorObject, root: Located, path: Path): Found {
  const name = error.propertyName ?? "";
  const at = [...path, name];
  return found(
    root,
    at,
    "key",
    sentenceFor(error)?.replaceAll("{value}", () => `"${name}"`) ?? `invalid name "${name}": it ${complaint(error)}`,
  );
}

/**
 * The schema's own message for this mistake (`x-mistake`: one for all keywords, or one for each), filled in. Null if it
 * has none.
 */
function custom(error: ErrorObject, root: Located, path: Path): string | null {
  return (
    sentenceFor(error)
      ?.replaceAll("{subject}", () => nameOf(root, path))
      .replaceAll("{value}", () => describe(error.data, root, path)) ?? null
  );
}

function sentenceFor(error: ErrorObject): string | null {
  const sentence: unknown = error.parentSchema?.["x-mistake"];
  if (typeof sentence === "string") return sentence;
  if (isRecord(sentence) && error.keyword === "type" && error.data === null && typeof sentence.null === "string")
    return sentence.null;
  return isRecord(sentence) && Object.hasOwn(sentence, error.keyword) ? String(sentence[error.keyword]) : null;
}

function complaint(error: ErrorObject): string {
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "type":
      return `must be ${list(
        [params.type]
          .flat()
          .flatMap((type) => String(type).split(","))
          .filter((type) => type !== "null")
          .map(typeName),
        "or",
      )}, not ${describe(error.data)}`;
    case "minimum":
      return `must be at least ${String(params.limit)}, not ${describe(error.data)}`;
    case "maximum":
      return `must be at most ${String(params.limit)}, not ${describe(error.data)}`;
    case "minLength":
      return "must not be empty";
    case "minItems":
      return `must have at least ${String(params.limit)} item${params.limit === 1 ? "" : "s"}`;
    case "maxLength":
      return `must be at most ${String(params.limit)} characters long`;
    case "uniqueItems":
      return "contains the same item twice";
    case "pattern":
      return `must match ${String(params.pattern)}, not ${describe(error.data)}`;
    default:
      return error.message ?? `breaks the rule "${error.keyword}"`;
  }
}

function isReserved(error: ErrorObject): boolean {
  return error.parentSchema?.doNotSuggest === true;
}

function knownKeys(schema: ErrorObject["parentSchema"]): string[] {
  const properties: unknown = schema?.properties;
  if (!isRecord(properties)) return [];
  return Object.keys(properties).filter((key) => !(isRecord(properties[key]) && properties[key].doNotSuggest === true));
}

/** A short description of a value. */
function describe(value: unknown, root?: Located, path?: Path): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const text =
    typeof value === "string" ? value : (root?.source.written(absolute(root, path ?? [])) ?? JSON.stringify(value));
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return typeof value === "string" ? `"${short}"` : short;
}

function typeName(type: string): string {
  const names: Record<string, string> = {
    string: "text",
    integer: "a whole number",
    number: "a number",
    boolean: "true or false",
    object: "a map",
    array: "a list",
  };
  return names[type] ?? type;
}

function list(words: readonly string[], joint: "and" | "or" = "and"): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${joint} ${words.at(-1) ?? ""}`;
}

function nameOf(root: Located, path: Path): string {
  return placeName(absolute(root, path), root.source.title);
}

function absolute(root: Located, path: Path): Path {
  return [...root.path, ...path];
}

/** Splits a JSON pointer into steps. Digits are an index only in a list. */
function pathOf(pointer: string, root: unknown): Path {
  const steps: (string | number)[] = [];
  let value = root;
  for (const raw of pointer.split("/").slice(1)) {
    const key = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    steps.push(Array.isArray(value) ? Number(key) : key);
    value =
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined;
  }
  return steps;
}
