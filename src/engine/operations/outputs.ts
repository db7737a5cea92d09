/** Outputs and other attributes of a run, one by one, for operators and their scripts. */
import type { RunRecord } from "../../state/contract/records.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { BUILT_IN_ATTRIBUTES } from "../../plan/launchPlan/launchPlan.js";
import { suggest } from "../../text/suggest.js";
import type { AttributeValue } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import { chooseOneService } from "../run/selection.js";
import type { Service } from "../run/service.js";
import { closeContext, openContext } from "../session/openContext.js";

export interface OutputValue {
  /** The service, or the replica. */
  readonly service: string;
  readonly name: string;
  readonly kind: "builtin" | "declared" | "output";
  readonly secret: boolean;
  /** Whether it has a value now. An output of a service that boots again is not set until it is set anew. */
  readonly set: boolean;
  /** Null if it is not set, or is a secret that is not to be revealed. Bytes that are not UTF-8 are lone surrogates. */
  readonly value: string | null;
}

export interface RunOutputs {
  readonly run: string;
  readonly outputs: readonly OutputValue[];
}

export interface OutputsOptions {
  /** `SERVICE.NAME` of an output or another attribute; null for all outputs. */
  readonly name: string | null;
  /** Whether values of secrets are included. */
  readonly reveal: boolean;
}

/** A service and the name of one of its attributes. */
export interface NamedAttribute {
  readonly service: Service;
  readonly name: string;
}

/**
 * Reads outputs of all services in the plan's order, or one attribute.
 * @throws StateError for a service or name that the run does not have.
 */
export async function readOutputs(store: Store, run: RunRecord, options: OutputsOptions): Promise<RunOutputs> {
  return inRecord(store, run, (context) => {
    const shown = ({ service, name }: NamedAttribute): OutputValue => valueOf(context, service, name, options.reveal);
    const outputs =
      options.name === null
        ? context.levels
            .flat()
            .flatMap((service) => outputsOf(context, service).map((name) => shown({ service, name })))
        : [shown(namedAttribute(context, options.name, "attribute"))];
    return { run: run.name, outputs };
  });
}

/** Does `work` with a context that only reads. */
export async function inRecord<T>(store: Store, run: RunRecord, work: (context: RunContext) => T): Promise<T> {
  const stop = new AbortController().signal;
  const context = await openContext({ run, store, writer: null, stop, observe: () => undefined });
  try {
    return work(context);
  } finally {
    await closeContext(context);
  }
}

/**
 * Finds `SERVICE.NAME`.
 * @param what which names count: outputs of the plan only, or other attributes, too.
 * @throws StateError
 */
export function namedAttribute(context: RunContext, text: string, what: "output" | "attribute"): NamedAttribute {
  const [, serviceName, name] = /^([^.:]+)[.:](.+)$/s.exec(text) ?? [];
  if (serviceName === undefined || name === undefined)
    throw new StateError(
      `"${text}" does not name an output: write SERVICE.NAME, such as db.url or web-2.port`,
      `bootlevel output ${context.run.name} lists the outputs`,
    );
  const service = chooseOneService(context, serviceName);
  const outputs = what === "output" ? service.spec.outputs.map((output) => output.name) : outputsOf(context, service);
  const known =
    what === "output" ? outputs : [...outputs, ...Object.keys(service.spec.attributes), ...BUILT_IN_ATTRIBUTES];
  if (known.includes(name)) return { service, name };
  const near = suggest(name, known);
  throw new StateError(
    `service "${service.spec.name}" has no ${what === "output" ? "output" : "output or attribute"} "${name}"` +
      (near === null ? "" : `, did you mean "${near}"?`),
    what === "output"
      ? `declare it under the service's outputs in the plan, or see which it has: bootlevel output ${context.run.name}`
      : `bootlevel output ${context.run.name} lists the outputs`,
  );
}

/** The outputs that the plan declares, and those that programs have set without that. */
function outputsOf({ attributes }: RunContext, { name, spec }: Service): string[] {
  const set = [...attributes.of(name)].filter(([, { kind }]) => kind === "output").map(([output]) => output);
  return [...new Set([...spec.outputs.map((output) => output.name), ...set])];
}

function valueOf(context: RunContext, service: Service, name: string, reveal: boolean): OutputValue {
  const found = context.attributes.of(service.name).get(name);
  const value = found === undefined || found.stale === true ? null : found.value;
  const secret = isSecret(service, name, found) || (value !== null && context.redactor.isIn(value));
  return {
    service: service.name,
    name,
    kind: found?.kind ?? kindOf(service, name),
    secret,
    set: value !== null,
    value: secret && !reveal ? null : value,
  };
}

function isSecret({ spec }: Service, name: string, found: AttributeValue | undefined): boolean {
  return (
    found?.secret === true ||
    spec.attributes[name]?.secret === true ||
    spec.outputs.some((output) => output.name === name && output.secret)
  );
}

function kindOf({ spec }: Service, name: string): OutputValue["kind"] {
  if (spec.outputs.some((output) => output.name === name)) return "output";
  return Object.hasOwn(spec.attributes, name) ? "declared" : "builtin";
}
