/**
 * Limits of a service's outputs, however they are set. Every later command reads all outputs of a run, and searches all
 * that is printed for the secret ones.
 */
import type { ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import type { AttributeValue } from "./attributes.js";

/** The maximum size of one secret, of all secrets, and of all outputs of a replica, in bytes. */
const LARGEST_SECRET = 65_536;
const MOST_SECRETS = 524_288;
const MOST_BYTES = 16_777_216;

/**
 * Checks new outputs of a replica together with those that it has.
 * @param known the attributes of the replica.
 * @returns what is too large, for people, without values; or null.
 */
export function outputsTooLarge(
  { outputs }: Pick<ServiceSpec, "outputs">,
  known: ReadonlyMap<string, AttributeValue>,
  added: ReadonlyMap<string, string>,
): string | null {
  const secret = new Set(outputs.filter((output) => output.secret).map(({ name }) => name));
  let [all, secrets] = [0, 0];
  for (const [name, { kind, value }] of known) {
    if (kind !== "output" || added.has(name)) continue;
    all += Buffer.byteLength(value);
    if (secret.has(name)) secrets += Buffer.byteLength(value);
  }
  for (const [name, value] of added) {
    const bytes = Buffer.byteLength(value);
    all += bytes;
    if (!secret.has(name)) continue;
    secrets += bytes;
    if (bytes > LARGEST_SECRET)
      return `the secret output "${name}" is ${bytes} bytes long; the limit is ${LARGEST_SECRET} bytes`;
  }
  if (secrets > MOST_SECRETS)
    return `the secret outputs are ${secrets} bytes long together; the limit is ${MOST_SECRETS} bytes`;
  return all > MOST_BYTES ? `the outputs are ${all} bytes long together; the limit is ${MOST_BYTES} bytes` : null;
}
