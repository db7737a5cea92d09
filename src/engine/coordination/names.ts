/**
 * What a name means that a program asks for: a value of its own service, an input, or something of another service of
 * the run.
 */
import { BUILT_IN_ATTRIBUTES } from "../../plan/launchPlan/launchPlan.js";
import { suggest } from "../../text/suggest.js";
import { isUnresolvedError } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import { BL_EXIT, refusal } from "./answers.js";
import type { BlReply } from "../../machines/coordination/blRequest.js";
import type { Service } from "../run/service.js";

/** An attribute of one replica. */
export interface ValueSource {
  /** The replica's number, or null for one that the run does not have: its name may change while somebody waits. */
  readonly id: number | null;
  readonly service: string;
  readonly attribute: string;
}

export type Meaning =
  /** One value, or those of several replicas, joined by commas. */
  | { readonly kind: "sources"; readonly sources: readonly ValueSource[]; /** For people. */ readonly what: string }
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "unknown"; readonly reply: BlReply };

/** Finds out what `NAME` or `SERVICE:NAME` means to a service. */
export function meaningOf(context: RunContext, asker: Service, name: string): Meaning {
  const [, other, attribute] = /^([^:]*):(.*)$/s.exec(name) ?? [];
  return other === undefined || attribute === undefined
    ? ownMeaning(context, asker, name)
    : othersMeaning(context, asker, other, attribute);
}

function ownMeaning(context: RunContext, asker: Service, name: string): Meaning {
  if (hasAttribute(asker, name))
    return {
      kind: "sources",
      sources: [{ id: asker.id, service: asker.name, attribute: name }],
      what: `${asker.name}.${name}`,
    };
  const input = context.attributes.input(asker.name, name);
  if (input === null)
    return unknown(`service "${asker.spec.name}" has no input, output or attribute "${name}"`, name, [
      ...attributesOf(asker),
      ...context.attributes.inputs(asker.name).map((one) => one.name),
    ]);
  const { source } = input;
  if (source.kind === "value") return valueOf(context, asker, source.value);
  return found(
    context.attributes.sources(source.link).map((service) => sourceNamed(context, service, source.link.attribute)),
  );
}

function valueOf(
  context: RunContext,
  asker: Service,
  template: Parameters<RunContext["attributes"]["resolve"]>[0],
): Meaning {
  try {
    return { kind: "value", value: context.attributes.resolve(template, asker.name) };
  } catch (error) {
    if (isUnresolvedError(error)) return { kind: "unknown", reply: refusal(BL_EXIT.notSet, error.message) };
    throw error;
  }
}

function othersMeaning(context: RunContext, asker: Service, name: string, attribute: string): Meaning {
  const all = name.endsWith("-*") ? context.bySpec.get(name.slice(0, -2)) : undefined;
  const named = context.byName.get(name);
  const one = isGoing(context, named) && !isGoing(context, asker) ? undefined : named;
  const services = all ?? (one === undefined ? [] : [one]);
  const replicas = context.bySpec.get(name) ?? [];
  const [first] = services;
  if (first === undefined) {
    if (replicas.length > 0)
      return {
        kind: "unknown",
        reply: refusal(
          BL_EXIT.unknown,
          `service "${name}" has ${replicas.length} replicas: say ${replicas[0]?.name}:${attribute} for one of them, or ${name}-*:${attribute} for all`,
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
        `${name}:${attribute} is secret: only a service that has it as an input of its own can read it`,
      ),
    };
  }
  return found(sources);
}

/**
 * Whether the plan has a service no more: its values are for those that go with it, and for the terminate programs of
 * those that go by the plan of before.
 */
function isGoing({ dropped, former }: RunContext, service: Service | undefined): boolean {
  return service !== undefined && (dropped.some(({ id }) => id === service.id) || former.get(service.id) === service);
}

/** The attribute of a replica that has that name now. */
export function sourceNamed({ byName }: RunContext, service: string, attribute: string): ValueSource {
  return { id: byName.get(service)?.id ?? null, service, attribute };
}

function found(sources: readonly ValueSource[]): Meaning {
  const [first] = sources;
  const what =
    sources.length === 1 && first !== undefined
      ? `${first.service}.${first.attribute}`
      : `${first?.attribute ?? "values"} of ${sources.length} replicas`;
  return { kind: "sources", sources, what };
}

/** Secrets of other services reach those to which the plan gives them. */
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

function unknown(message: string, name: string, known: readonly string[]): Meaning {
  const near = suggest(name, known);
  return {
    kind: "unknown",
    reply: refusal(BL_EXIT.unknown, near === null ? message : `${message}, did you mean "${near}"?`),
  };
}
