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

/** How a host key was recognised. "temporary": the key from the launch; "new": an unknown key that is pinned now. */
export type Recognition = "known" | "pinned" | "temporary" | "new";

export interface HostKeyCheck {
  /** The algorithms to offer: those of the known keys, as OpenSSH does, or all. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  /**
   * Accepts or refuses a key. A key that is trusted on first use is pinned first.
   * @throws HostKeyError
   */
  verify(key: Buffer): Promise<Recognition>;
}

/**
 * Reads the keys that are known for a host. Called for each attempt, so a key that was pinned meanwhile counts.
 * @throws ConnectionError when the policy is `console` and the console shows no keys yet; nothing is sent to the
 *   machine.
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

/** The temporary keys, as long as the machine has not replaced them. */
async function temporaryKeys({ hostKeys, contact }: Trust): Promise<readonly string[]> {
  if (hostKeys !== "injected" || contact === null || contact.hostKeys.length === 0) return [];
  return (await contact.finished()) ? [] : contact.hostKeys;
}

/** Fingerprints that an unknown host may present; [] accepts any key, null accepts none. */
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

/** Two connections may pin a key at the same time; the key that is stored afterwards counts. */
async function pinFirst(pins: HostKeyPins, address: string, key: string, { hostKeys, contact }: Trust): Promise<void> {
  // A command that writes nothing can rely on the console.
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
