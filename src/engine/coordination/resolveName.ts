/**
 * Resolves the names in `bl get`: a value of the program's own service, an input, or a value of another service of the
 * run.
 */
import { BUILT_IN_ATTRIBUTES } from "../../plan/launchPlan/launchPlan.js";
import { suggest } from "../../text/suggest.js";
import { isUnresolvedError } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import { BL_EXIT, refusal } from "./replies.js";
import type { BlReply } from "../../machines/coordination/blRequest.js";
import type { Service } from "../run/service.js";

/** An attribute of one replica. */
export interface ValueSource {
  /** The replica's number, or null for one that the run does not have: its name may change while somebody waits. */
  readonly id: number | null;
  readonly service: string;
  readonly attribute: string;
}

export type ResolvedName =
  /** One value, or those of several replicas, joined by commas or as JSON. */
  | {
      readonly kind: "sources";
      readonly sources: readonly ValueSource[];
      /** For people. */
      readonly what: string;
      /** Whether these are all replicas: a list, also of one. */
      readonly all: boolean;
      /** Whether the plan asks for JSON. */
      readonly json: boolean;
    }
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "unknown"; readonly reply: BlReply };

/** Resolves `NAME` or `SERVICE:NAME` for a service. */
export function resolveName(context: RunContext, asker: Service, name: string): ResolvedName {
  const [, other, attribute] = /^([^:]*):(.*)$/s.exec(name) ?? [];
  return other === undefined || attribute === undefined
    ? resolveOwn(context, asker, name)
    : resolveOther(context, asker, other, attribute);
}

function resolveOwn(context: RunContext, asker: Service, name: string): ResolvedName {
  if (hasAttribute(asker, name))
    return {
      kind: "sources",
      sources: [{ id: asker.id, service: asker.name, attribute: name }],
      what: `${asker.name}.${name}`,
      all: false,
      json: false,
    };
  const input = context.attributes.input(asker.name, name);
  if (input === null)
    return unknown(`service "${asker.spec.name}" has no input, output or attribute "${name}"`, name, [
      ...attributesOf(asker),
      ...context.attributes.inputs(asker.name).map((one) => one.name),
    ]);
  const { source } = input;
  if (source.kind === "value") return valueOf(context, asker, source.value);
  return resolved(
    context.attributes.sources(source.link).map((service) => sourceNamed(context, service, source.link.attribute)),
    source.link.replica === "all",
    source.link.json === true,
  );
}

function valueOf(
  context: RunContext,
  asker: Service,
  template: Parameters<RunContext["attributes"]["resolve"]>[0],
): ResolvedName {
  try {
    return { kind: "value", value: context.attributes.resolve(template, asker.name) };
  } catch (error) {
    if (isUnresolvedError(error)) return { kind: "unknown", reply: refusal(BL_EXIT.notSet, error.message) };
    throw error;
  }
}

function resolveOther(context: RunContext, asker: Service, name: string, attribute: string): ResolvedName {
  const all = name.endsWith("-*") ? context.bySpec.get(name.slice(0, -2)) : undefined;
  const named = context.byName.get(name);
  const one = isBeingRemoved(context, named) && !isBeingRemoved(context, asker) ? undefined : named;
  const services = all ?? (one === undefined ? [] : [one]);
  const replicas = context.bySpec.get(name) ?? [];
  const [first] = services;
  if (first === undefined) {
    if (replicas.length > 0)
      return {
        kind: "unknown",
        reply: refusal(
          BL_EXIT.unknown,
          `service "${name}" has ${replicas.length} replicas: ` +
            `use ${replicas[0]?.name}:${attribute} for one of them, or ${name}-*:${attribute} for all`,
        ),
      };
    return unknown(`this run has no service "${name}"`, name, [...context.bySpec.keys(), ...context.byName.keys()]);
  }
  if (!hasAttribute(first, attribute))
    return unknown(
      `service "${first.spec.name}" has no output or attribute "${attribute}"`,
      attribute,
      attributesOf(first),
    );
  const sources = services.map(({ id, name }) => ({ id, service: name, attribute }));
  if (isSecret(context, first, attribute) && !mayRead(context, asker, sources)) {
    return {
      kind: "unknown",
      reply: refusal(
        BL_EXIT.unknown,
        `${name}:${attribute} is secret; only a service that declares it as an input can read it`,
      ),
    };
  }
  return resolved(sources, all !== undefined, false);
}

/**
 * Whether the new plan no longer contains the service. Its values are only for other removed services, and for
 * terminate programs that run by the former plan.
 */
function isBeingRemoved({ dropped, former }: RunContext, service: Service | undefined): boolean {
  return service !== undefined && (dropped.some(({ id }) => id === service.id) || former.get(service.id) === service);
}

/** The attribute of the replica with this current name. */
export function sourceNamed({ byName }: RunContext, service: string, attribute: string): ValueSource {
  return { id: byName.get(service)?.id ?? null, service, attribute };
}

function resolved(sources: readonly ValueSource[], all: boolean, json: boolean): ResolvedName {
  const [first] = sources;
  const what =
    sources.length === 1 && first !== undefined
      ? `${first.service}.${first.attribute}`
      : `${first?.attribute ?? "values"} of ${sources.length} replicas`;
  return { kind: "sources", sources, what, all, json };
}

/** A service may read secrets of others only if the plan links them to its inputs. */
function mayRead(context: RunContext, asker: Service, sources: readonly ValueSource[]): boolean {
  const linked = context.attributes
    .inputs(asker.name)
    .flatMap(({ source }) =>
      source.kind === "link"
        ? context.attributes.sources(source.link).map((service) => `${service} ${source.link.attribute}`)
        : [],
    );
  return sources.every(
    ({ service, attribute }) => service === asker.name || linked.includes(`${service} ${attribute}`),
  );
}

function isSecret(context: RunContext, { name, spec }: Service, attribute: string): boolean {
  return (
    spec.outputs.some((output) => output.name === attribute && output.secret) ||
    spec.attributes[attribute]?.secret === true ||
    context.attributes.of(name).get(attribute)?.secret === true
  );
}

function hasAttribute(service: Service, name: string): boolean {
  return attributesOf(service).includes(name);
}

function attributesOf({ spec }: Service): string[] {
  return [...Object.keys(spec.attributes), ...spec.outputs.map((output) => output.name), ...BUILT_IN_ATTRIBUTES];
}

function unknown(message: string, name: string, known: readonly string[]): ResolvedName {
  const near = suggest(name, known);
  return {
    kind: "unknown",
    reply: refusal(BL_EXIT.unknown, near === null ? message : `${message}, did you mean "${near}"?`),
  };
}
