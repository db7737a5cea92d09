/** The grammar of `${…}`. */
import { isRecord } from "../yaml/located.js";
import type { Reference, Template } from "../launchPlan/launchPlan.js";

/**
 * How a string is read. "strict": every `${` must begin a reference. "command": only what looks like a reference is
 * one, the rest is the shell's. "compiled": like strict, for strings that `compileTree` wrote, in which `${web.2.host}`
 * is replica 2 of `web`.
 */
export type TemplateMode = "strict" | "command" | "compiled";

export interface TemplateMistake {
  /** Where in the string, in code units from 0, and the text that is wrong. */
  readonly offset: number;
  readonly text: string;
  readonly message: string;
}

/** A reference with its place in the string. */
export interface PlacedReference {
  readonly reference: Reference;
  readonly offset: number;
  readonly text: string;
}

export interface ParsedTemplate {
  readonly parts: Template;
  readonly references: readonly PlacedReference[];
  readonly mistakes: readonly TemplateMistake[];
}

const NAME = "[A-Za-z][A-Za-z0-9_-]*";
const ATTRIBUTE = "[A-Za-z_][A-Za-z0-9_-]*";
const REFERENCE = new RegExp(`^(${NAME})(?:\\.(\\*|[0-9]+))?\\.(${ATTRIBUTE})$`);
const IN_COMMAND = new RegExp(`^\\$\\{(${NAME})(\\.\\*)?\\.(${ATTRIBUTE})\\}`);
/** Names of a service's own inputs may have dots; anywhere else a dot parts a service from its attribute. */
const OWN = /^self\.([A-Za-z_][A-Za-z0-9_.-]*)$/;
const OWN_IN_COMMAND = /^\$\{self\.([A-Za-z_][A-Za-z0-9_.-]*)\}/;

/**
 * Cuts a string into literal text and references. A replica's name is not known here: `${web-2.host}` is service
 * "web-2", and who knows the services (`compile`) makes replica 2 of "web" of it. `$${` is a literal `${`.
 */
export function parseTemplate(text: string, mode: TemplateMode): ParsedTemplate {
  const parts: (string | Reference)[] = [];
  const references: PlacedReference[] = [];
  const mistakes: TemplateMistake[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf("$", at);
    if (next === -1) break;
    literal += text.slice(at, next);
    at = next;
    const found = text.startsWith("$${", at) ? { length: 3, literal: "${" } : readReference(text, at, mode);
    at += found.length;
    if ("literal" in found) literal += found.literal;
    else if ("message" in found) mistakes.push({ offset: next, text: text.slice(next, at), message: found.message });
    else {
      if (literal !== "") parts.push(literal);
      literal = "";
      parts.push(found.reference);
      references.push({ reference: found.reference, offset: next, text: text.slice(next, at) });
    }
  }
  literal += text.slice(at);
  if (literal !== "") parts.push(literal);
  return { parts, references, mistakes };
}

/** The references of a string, mistakes left aside. */
export function templateReferences(text: string): readonly Reference[] {
  return text.includes("${") ? parseTemplate(text, "strict").references.map(({ reference }) => reference) : [];
}

/** Every string in a tree (maps, lists, scalars), however deep. */
export function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(stringsIn);
  return isRecord(value) ? Object.values(value).flatMap(stringsIn) : [];
}

/** A template as it is written in a plan. */
export function templateText(template: Template): string {
  return template.map((part) => (typeof part === "string" ? escapeLiteral(part) : referenceText(part))).join("");
}

/** Literal text as it is written in a plan. */
export function escapeLiteral(text: string): string {
  // A function, because "$$" means "$" in a replacement text.
  return text.replaceAll("${", () => "$${");
}

/** A reference as it is written in a plan, such as `${web-2.host}`. */
export function referenceText(reference: Reference): string {
  switch (reference.kind) {
    case "service":
      return `\${${reference.service}${reference.replica === 0 ? "" : reference.replica === "all" ? ".*" : `-${reference.replica}`}.${reference.attribute}}`;
    case "self":
      return `\${self.${reference.attribute}}`;
    case "variable":
      return `\${var.${reference.name}}`;
    case "environment":
      return `\${env.${reference.name}}`;
    case "run":
    case "plan":
      return `\${${reference.kind}.${reference.field}}`;
  }
}

type Read = { length: number } & ({ literal: string } | { message: string } | { reference: Reference });

function readReference(text: string, at: number, mode: TemplateMode): Read {
  if (!text.startsWith("${", at)) return { length: 1, literal: "$" };
  if (mode === "command") return readInCommand(text, at);
  const nested = text.indexOf("${", at + 2);
  const stop = nested === -1 ? text.length : nested;
  // Not looked for beyond the next one: for each of many that never close, the whole text would be read.
  const end = at + text.slice(at, stop).indexOf("}");
  if (end < at)
    return {
      length: stop - at,
      message: `this reference has no closing }: write \${name.attribute}, or $\${ for a literal \${`,
    };
  const inside = text.slice(at + 2, end);
  const own = OWN.exec(inside);
  if (own !== null) return { length: end + 1 - at, reference: { kind: "self", attribute: own[1] ?? "" } };
  const match = REFERENCE.exec(inside);
  const made =
    match === null || (mode !== "compiled" && /^[0-9]/.test(match[2] ?? ""))
      ? malformed(inside)
      : makeReference(match[1] ?? "", match[2] ?? null, match[3] ?? "");
  return typeof made === "string" ? { length: end + 1 - at, message: made } : { length: end + 1 - at, reference: made };
}

function readInCommand(text: string, at: number): Read {
  const own = OWN_IN_COMMAND.exec(text.slice(at, at + 300));
  if (own !== null) return { length: own[0].length, reference: { kind: "self", attribute: own[1] ?? "" } };
  const match = IN_COMMAND.exec(text.slice(at, at + 300));
  if (match === null) return { length: 2, literal: "${" };
  const made = makeReference(match[1] ?? "", match[2] === undefined ? null : "*", match[3] ?? "");
  return typeof made === "string"
    ? { length: match[0].length, message: made }
    : { length: match[0].length, reference: made };
}

function makeReference(name: string, replica: string | null, attribute: string): Reference | string {
  const taken = ["self", "var", "env", "run", "plan"].includes(name);
  if (taken && replica !== null) return `"${name}" has no replicas: write \${${name}.${attribute}}`;
  switch (name) {
    case "self":
      return { kind: "self", attribute };
    case "var":
      return { kind: "variable", name: attribute };
    case "env":
      return attribute.includes("-")
        ? `invalid environment variable name "${attribute}": use letters, digits and _`
        : { kind: "environment", name: attribute };
    case "run":
      return attribute === "name"
        ? { kind: "run", field: "name" }
        : `unknown field "${attribute}" of run: only \${run.name} exists`;
    case "plan":
      return attribute === "dir"
        ? { kind: "plan", field: "dir" }
        : `unknown field "${attribute}" of plan: only \${plan.dir} exists`;
    default:
      return {
        kind: "service",
        service: name,
        replica: replica === null ? 0 : replica === "*" ? "all" : Number(replica),
        attribute,
      };
  }
}

function malformed(inside: string): string {
  const literal = `or $\${${inside}} for the literal text`;
  const tidy = inside.replace(/\s+/g, "");
  if (tidy === "") return "this reference is empty: write ${name.attribute}, or $${} for the literal text";
  if (tidy !== inside && REFERENCE.test(tidy)) return `a reference cannot contain spaces: write \${${tidy}}`;
  if (new RegExp(`^${NAME}$`).test(inside))
    return `\${${inside}} has no attribute: write \${${inside}.host} for the address of a service, \${var.${inside}} for a variable, \${env.${inside}} for an environment variable, ${literal}`;
  return `\${${inside}} is not a reference: write \${name.attribute}, ${literal}`;
}
