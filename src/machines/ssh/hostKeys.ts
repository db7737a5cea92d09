/** Whether a host is the one that was meant, decided before anything about the user is said to it. */
import { createHash } from "node:crypto";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { HostKeyError } from "../connection.js";
import { type HostKeyPins, type SshSettings, hostAddress } from "./settings.js";
import { readKnownHosts, type KnownKeys } from "./knownHosts.js";

const SYSTEM_FILE = "/etc/ssh/ssh_known_hosts";

const ALL_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
];

export interface HostKeyCheck {
  /** The algorithms to offer: those of the keys that are known, as OpenSSH does, or all. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  /** Resolves when the key is the host's own; on first contact under accept-new that is pinned before. Rejects with `HostKeyError`. */
  verify(key: Buffer): Promise<void>;
}

type Trust = Pick<SshSettings, "hostKeys" | "knownHosts" | "pins">;

/** Reads what is known of the host. Made anew for each attempt, so that a key pinned meanwhile counts. */
export async function hostKeyCheck(host: string, port: number, trust: Trust): Promise<HostKeyCheck> {
  const address = hostAddress(host, port);
  const known = await readKnownHosts([trust.knownHosts, SYSTEM_FILE], address);
  const expected = [...known.keys, ...(trust.hostKeys === "accept-new" ? await trust.pins.find(address) : [])];
  const types = new Set(expected.flatMap((key) => algorithmsOf(key.split(" ")[0] ?? "")));
  return {
    algorithms: types.size === 0 ? [...ALL_ALGORITHMS] : ALL_ALGORITHMS.filter((name) => types.has(name)),
    async verify(blob) {
      const key = `${keyType(blob)} ${blob.toString("base64")}`;
      if (known.revoked.includes(key)) throw revoked(address, key, trust);
      if (expected.includes(key)) return;
      if (expected.length > 0) throw mismatch(address, key, expected);
      if (trust.hostKeys === "known-hosts") throw unknownHost(host, port, key, known, trust);
      await pinFirst(trust.pins, address, key);
    },
  };
}

/** `SHA256:…`, as ssh-keygen -l shows it. */
export function fingerprint(key: string): string {
  const blob = Buffer.from(key.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** Two machines may meet a host at the same time: what is stored afterwards decides. */
async function pinFirst(pins: HostKeyPins, address: string, key: string): Promise<void> {
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

function show(key: string): string {
  return `${fingerprint(key)} (${key.split(" ")[0] ?? ""})`;
}

function revoked(address: string, key: string, trust: Trust): HostKeyError {
  return new HostKeyError(`${address} presents the host key ${show(key)}, which is marked @revoked in ${trust.knownHosts} or ${SYSTEM_FILE}`, fingerprint(key), []);
}

function mismatch(address: string, key: string, expected: readonly string[]): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, but the known one is ${expected.map(show).join(" or ")}. ` +
    "Either the machine was made anew or somebody is in between; nothing was sent to it",
    fingerprint(key), expected.map(fingerprint),
  );
}

function unknownHost(host: string, port: number, key: string, known: KnownKeys, trust: Trust): HostKeyError {
  const authorities = known.authorities ? " Its @cert-authority line does not help: host certificates are not supported." : "";
  return new HostKeyError(
    `the host key of ${hostAddress(host, port)} is not known; it presents ${show(key)}.${authorities} ` +
    `Compare that with the machine's own and add it (ssh-keyscan -p ${port} ${host} >> ${trust.knownHosts}), or set ssh: { host_keys: accept-new }`,
    fingerprint(key), [],
  );
}
