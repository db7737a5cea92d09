/** The secrets of a run, for commands that only read its record or that end with an error. */
import { Redactor } from "../../secrets/redactor.js";
import type { SecretReading, Store, RunKey } from "../../state/contract/store.js";

/**
 * All secret values of a run: of variables and attributes, now and before.
 * @throws StateError if they are needed and cannot be decrypted.
 */
export async function runSecrets(store: Store, run: RunKey, reading: SecretReading): Promise<string[]> {
  const recorded = [...(await store.variables(run, reading)), ...(await store.attributes(run, reading))];
  return [
    ...recorded.filter(({ secret }) => secret).map(({ value }) => value),
    ...(await store.formerSecrets(run, reading)),
  ];
}

/** A redactor that knows the secrets of a run, as far as they can be decrypted. */
export async function runRedactor(store: Store, run: RunKey): Promise<Redactor> {
  return new Redactor(await runSecrets(store, run, "optional"));
}
