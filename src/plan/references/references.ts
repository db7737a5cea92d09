/** The grammar of `${…}`. */
import { isRecord } from "../yaml/located.js";
import type { Reference, Template } from "../launchPlan/launchPlan.js";

/**
 * How a string is parsed. "strict": every `${` must begin a reference. "command": only text in the form of a reference
 * is one; the rest belongs to the shell. "compiled": like strict, for strings that `compileTree` wrote, where
 * `${web.2.host}` is replica 2 of `web`.
 */
export type TemplateMode = "strict" | "command" | "compiled";

export interface TemplateMistake {
  /** The offset in the string (code units, from 0) and the invalid text. */
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
/** Asks for the value as JSON. Spaces around the bar do not matter. */
const JSON_FORM = /\s*\|\s*json\s*$/;
const FORM = "(\\s{0,9}\\|\\s{0,9}json\\s{0,9})?";
const IN_COMMAND = new RegExp(`^\\$\\{(${NAME})(\\.\\*)?\\.(${ATTRIBUTE})${FORM}\\}`);
/** Names of a service's own inputs may contain dots. Elsewhere a dot separates a service from its attribute. */
const OWN = /^self\.([A-Za-z_][A-Za-z0-9_.-]*)$/;
const OWN_IN_COMMAND = new RegExp(`^\\$\\{self\\.([A-Za-z_][A-Za-z0-9_.-]*)${FORM}\\}`);

/**
 * Splits a string into literal text and references. Replicas are not resolved here: `${web-2.host}` is service "web-2".
 * `compile`, which knows the services, turns it into replica 2 of "web". `$${` is a literal `${`.
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

/** The references of a string. Ignores mistakes. */
export function templateReferences(text: string): readonly Reference[] {
  return text.includes("${") ? parseTemplate(text, "strict").references.map(({ reference }) => reference) : [];
}

/** Every string in a tree (maps, lists, scalars) at any depth. */
export function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(stringsIn);
  return isRecord(value) ? Object.values(value).flatMap(stringsIn) : [];
}

/** The text of a template in a plan's syntax. */
export function templateText(template: Template): string {
  return template.map((part) => (typeof part === "string" ? escapeLiteral(part) : referenceText(part))).join("");
}

/** Literal text in a plan's syntax. */
export function escapeLiteral(text: string): string {
  // A function, because "$$" means "$" in a replacement string.
  return text.replaceAll("${", () => "$${");
}

/** The text of a reference in a plan's syntax, such as `${web-2.host}`. */
export function referenceText(reference: Reference): string {
  const text = plainText(reference);
  return reference.json === true ? `${text.slice(0, -1)}|json}` : text;
}

function plainText(reference: Reference): string {
  switch (reference.kind) {
    case "service":
      return `\${${reference.service}${replicaText(reference.replica)}.${reference.attribute}}`;
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

function replicaText(replica: number | "all"): string {
  if (replica === "all") return ".*";
  return replica === 0 ? "" : `-${replica}`;
}

type Read = { length: number } & ({ literal: string } | { message: string } | { reference: Reference });

function readReference(text: string, at: number, mode: TemplateMode): Read {
  if (!text.startsWith("${", at)) return { length: 1, literal: "$" };
  if (mode === "command") return readInCommand(text, at);
  const nested = text.indexOf("${", at + 2);
  const stop = nested === -1 ? text.length : nested;
  // Search only up to the next `${`. Otherwise many unclosed ones would each scan the whole text.
  const end = at + text.slice(at, stop).indexOf("}");
  if (end < at)
    return {
      length: stop - at,
      message: `this reference has no closing }: write \${name.attribute}, or $\${ for a literal \${`,
    };
  const whole = text.slice(at + 2, end);
  const json = JSON_FORM.test(whole);
  const inside = json ? whole.replace(JSON_FORM, "") : whole;
  const own = OWN.exec(inside);
  if (own !== null) return { length: end + 1 - at, reference: inForm({ kind: "self", attribute: own[1] ?? "" }, json) };
  const match = REFERENCE.exec(inside);
  const made =
    match === null || (mode !== "compiled" && /^[0-9]/.test(match[2] ?? ""))
      ? malformed(whole)
      : makeReference(match[1] ?? "", match[2] ?? null, match[3] ?? "");
  const length = end + 1 - at;
  return typeof made === "string" ? { length, message: made } : { length, reference: inForm(made, json) };
}

function readInCommand(text: string, at: number): Read {
  const own = OWN_IN_COMMAND.exec(text.slice(at, at + 300));
  if (own !== null)
    return {
      length: own[0].length,
      reference: inForm({ kind: "self", attribute: own[1] ?? "" }, own[2] !== undefined),
    };
  const match = IN_COMMAND.exec(text.slice(at, at + 300));
  if (match === null) return { length: 2, literal: "${" };
  const made = makeReference(match[1] ?? "", match[2] === undefined ? null : "*", match[3] ?? "");
  return typeof made === "string"
    ? { length: match[0].length, message: made }
    : { length: match[0].length, reference: inForm(made, match[4] !== undefined) };
}

function inForm(reference: Reference, json: boolean): Reference {
  return json ? { ...reference, json: true } : reference;
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
    return (
      `\${${inside}} has no attribute: write \${${inside}.host} for the address of a service, ` +
      `\${var.${inside}} for a variable, \${env.${inside}} for an environment variable, ${literal}`
    );
  return `\${${inside}} is not a reference: write \${name.attribute}, ${literal}`;
}
