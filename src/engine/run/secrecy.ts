/**
 * Values that contain a secret, such as an address with a password in it. They are treated as secrets, whatever the plan
 * says: encrypted in the record, and never shown.
 */
import type { Change } from "../../state/contract/changes.js";
import type { AttributeValue } from "../../state/contract/records.js";
import { Redactor } from "../../secrets/redactor.js";
import { writerOf } from "./journal.js";
import type { RunContext } from "./context.js";
import type { Service } from "./service.js";

/**
 * The attributes as they must be recorded and passed on: secret if they are declared so, or contain a secret of the run.
 * The run's redactor learns the secret ones.
 */
export function withSecrecy(
  { redactor }: Pick<RunContext, "redactor">,
  attributes: readonly AttributeValue[],
): AttributeValue[] {
  redactor.add(attributes.filter(({ secret }) => secret).map(({ value }) => value));
  const marked = attributes.map((attribute) =>
    attribute.secret || !redactor.isIn(attribute.value) ? attribute : { ...attribute, secret: true },
  );
  redactor.add(marked.filter(({ secret }) => secret).map(({ value }) => value));
  return marked;
}

/** The service's attributes that are recorded in clear and turn out to contain a secret, as secrets. */
export function newlySecret(
  { redactor, attributes }: Pick<RunContext, "redactor" | "attributes">,
  { id, name: service }: Service,
): AttributeValue[] {
  return [...attributes.of(service)].flatMap(([name, { value, secret, kind, step = null, stale = false }]) =>
    secret || stale || !redactor.isIn(value) ? [] : [{ serviceId: id, name, kind, step, value, secret: true }],
  );
}

/**
 * Makes recorded values secret that contain secrets which became known after them. Looks for those that were learned
 * since the last call.
 */
export async function concealEarlier(context: RunContext): Promise<void> {
  const learned = new Redactor(context.attributes.learnedSecrets());
  if (learned.isEmpty) return;
  const changes: Change[] = [];
  for (const { id, name: service } of context.byId.values())
    for (const [name, { value, secret, kind, step = null, stale = false }] of context.attributes.of(service)) {
      if (secret || stale || !learned.isIn(value)) continue;
      context.redactor.add([value]);
      context.attributes.set(service, name, { value, secret: true, kind, step });
      changes.push({ kind: "attribute", attribute: { serviceId: id, name, kind, step, secret: true, value } });
    }
  if (changes.length > 0) await writerOf(context).write(...changes);
}
