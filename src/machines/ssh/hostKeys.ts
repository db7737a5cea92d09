import type { ServerHostKeyAlgorithm } from "ssh2";
import { ConnectionError } from "../contract/connection.js";
import { mismatch, notGiven, notPrinted, revoked, unknownHost } from "./hostKeyErrors.js";
import { type HostKeyPins, hostAddress, type Trust } from "./settings.js";
import { readKnownHosts, SYSTEM_FILE } from "./knownHosts.js";
import { fingerprint } from "./publicKeys.js";

const ALL_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/**
 * How a host was recognised; "temporary": by the key that it was given for its first contact; "new": nobody knew it,
 * and it is pinned now.
 */
export type Recognition = "known" | "pinned" | "temporary" | "new";

export interface HostKeyCheck {
  /** The algorithms to offer: those of the keys that are known, as OpenSSH does, or all. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  /**
   * Resolves when the key is the host's own; one that is believed at first sight is pinned before. Rejects with
   * `HostKeyError`.
   */
  verify(key: Buffer): Promise<Recognition>;
}

/**
 * Reads what is known of the host. Made anew for each attempt, so that a key pinned meanwhile counts.
 * @throws ConnectionError when the machine's console is to tell its keys and has not yet: nothing is said to it until
 *   then.
 */
export async function hostKeyCheck(
  host: string,
  port: number,
  trust: Trust,
  signal: AbortSignal,
): Promise<HostKeyCheck> {
  const address = hostAddress(host, port);
  const pins = trust.contact?.pins ?? trust.pins;
  const known = await readKnownHosts([trust.knownHosts, SYSTEM_FILE], address);
  const pinned = trust.hostKeys === "known-hosts" ? [] : await pins.find(address);
  const temporary = await temporaryKeys(trust);
  const expected = [...known.keys, ...pinned, ...temporary];
  const printed = expected.length === 0 ? await printedKeys(address, trust, signal) : [];
  const types = new Set(expected.flatMap((key) => algorithmsOf(key.split(" ")[0] ?? "")));
  return {
    algorithms: types.size === 0 ? [...ALL_ALGORITHMS] : ALL_ALGORITHMS.filter((name) => types.has(name)),
    async verify(blob) {
      const key = `${keyType(blob)} ${blob.toString("base64")}`;
      if (known.revoked.includes(key)) throw revoked(address, key, trust);
      if (known.keys.includes(key)) return "known";
      if (pinned.includes(key)) return "pinned";
      if (temporary.includes(key)) return "temporary";
      if (expected.length > 0 && expected.length === temporary.length) throw notGiven(address, key, expected);
      if (expected.length > 0) throw mismatch(address, key, expected);
      if (printed === null) throw unknownHost(host, port, key, known, trust);
      if (trust.hostKeys === "console" && !printed.includes(fingerprint(key))) throw notPrinted(address, key, printed);
      await pinFirst(pins, address, key, trust);
      return "new";
    },
  };
}

/** The keys that count until the first contact is finished. */
async function temporaryKeys({ hostKeys, contact }: Trust): Promise<readonly string[]> {
  if (hostKeys !== "injected" || contact === null || contact.hostKeys.length === 0) return [];
  return (await contact.finished()) ? [] : contact.hostKeys;
}

/** Fingerprints of which an unknown host must show one; none where any is believed; null where none is. */
async function printedKeys(
  address: string,
  { hostKeys, contact }: Trust,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  if (hostKeys === "accept-new") return [];
  if (hostKeys !== "console" || contact === null) return null;
  const printed = await contact.fingerprints(signal);
  if (printed === null) throw new ConnectionError(`${address} has not printed its host keys on its console yet`);
  return printed;
}

/** Two machines may meet a host at the same time: what is stored afterwards decides. */
async function pinFirst(pins: HostKeyPins, address: string, key: string, { hostKeys, contact }: Trust): Promise<void> {
  // What the console shows is proof enough for a command that writes nothing.
  if (hostKeys === "console" && contact?.mayChange === false) return;
  await pins.pin(address, key);
  const stored = await pins.find(address);
  if (!stored.includes(key)) throw mismatch(address, key, stored);
}

function algorithmsOf(type: string): string[] {
  return type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type];
}

function keyType(blob: Buffer): string {
  return blob.toString("latin1", 4, 4 + blob.readUInt32BE(0));
}
