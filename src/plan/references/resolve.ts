/** Replaces references by their values. */
import { isRecord } from "../yaml/located.js";
import type { LaunchPlan, Reference, Template } from "../launchPlan/launchPlan.js";
import { escapeLiteral, parseTemplate } from "./references.js";
import { splitReplica } from "../launchPlan/replicas.js";

/** Returns the value of a reference. Throws if it has none. */
export type ReferenceLookup = (reference: Reference) => string;

/** The template's text with each reference replaced by its value. Throws what `lookup` throws. */
export function resolveTemplate(template: Template, lookup: ReferenceLookup): string {
  return template.map((part) => (typeof part === "string" ? part : lookup(part))).join("");
}

/**
 * Copies a compiled plan's `launch` or cloud options and replaces the references in every string. Throws what `lookup`
 * throws.
 */
export function resolveTree(value: Readonly<Record<string, unknown>>, lookup: ReferenceLookup): Record<string, unknown>;
export function resolveTree(value: unknown, lookup: ReferenceLookup): unknown;
export function resolveTree(value: unknown, lookup: ReferenceLookup): unknown {
  return mapStrings(value, (text) =>
    text.includes("${") ? resolveTemplate(parseTemplate(text, "compiled").parts, lookup) : text,
  );
}

/** All references in the strings of a compiled plan's `launch` or cloud options. */
export function treeReferences(value: unknown): Reference[] {
  const references: Reference[] = [];
  resolveTree(value, (reference) => {
    references.push(reference);
    return "";
  });
  return references;
}

/**
 * The form in which a tree is stored: `${web-2.host}` becomes `${web.2.host}`. Without the plan's services, replica 2
 * of "web" and a service named "web-2" would look the same.
 */
export function compileTree(value: unknown, services: { has(name: string): boolean }): unknown {
  return mapStrings(value, (text) =>
    text.includes("${")
      ? parseTemplate(text, "strict")
          .parts.map((part) => compiledPart(part, services))
          .join("")
      : text,
  );
}

/** Whether a template's value is secret: whether `secret` is true for any of its references. */
export function isSecret(template: Template, secret: (reference: Reference) => boolean): boolean {
  return template.some((part) => typeof part !== "string" && secret(part));
}

/** The plan without the defaults of secret variables, so that it can be stored. */
export function withoutSecretDefaults(plan: LaunchPlan): LaunchPlan {
  return {
    ...plan,
    variables: plan.variables.map((variable) => (variable.secret ? { ...variable, default: null } : variable)),
  };
}

function compiledPart(part: string | Reference, services: { has(name: string): boolean }): string {
  if (typeof part === "string") return escapeLiteral(part);
  const text = compiledReference(part, services);
  return part.json === true ? `${text.slice(0, -1)}|json}` : text;
}

function compiledReference(part: Reference, services: { has(name: string): boolean }): string {
  switch (part.kind) {
    case "service": {
      const { service, replica, attribute } = splitReplica(part, services);
      return `\${${service}${replica === 0 ? "" : replica === "all" ? ".*" : `.${replica}`}.${attribute}}`;
    }
    case "self":
      return `\${self.${part.attribute}}`;
    case "variable":
      return `\${var.${part.name}}`;
    case "environment":
      return `\${env.${part.name}}`;
    case "run":
    case "plan":
      return `\${${part.kind}.${part.field}}`;
  }
}

function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  return isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)]))
    : value;
}
