/** Why a host key is refused, in words: what came, what was expected, what to do. */
import { HostKeyError } from "../contract/connection.js";
import { type KnownKeys, SYSTEM_FILE } from "./knownHosts.js";
import { hostAddress, type Trust } from "./settings.js";
import { fingerprint } from "./publicKeys.js";

/** The known_hosts file takes this key back. */
export function revoked(address: string, key: string, trust: Trust): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, which is marked @revoked in ${trust.knownHosts} or ${SYSTEM_FILE}`,
    fingerprint(key),
    [],
  );
}

/** Other keys are known for the host. */
export function mismatch(address: string, key: string, expected: readonly string[]): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, but the known one is ${expected.map(show).join(" or ")}. ` +
      "Either the machine was made anew or somebody is in between; nothing was sent to it",
    fingerprint(key),
    expected.map(fingerprint),
  );
}

/** The machine was given other keys for its first contact, and nothing else is known of it. */
export function notGiven(address: string, key: string, given: readonly string[]): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, but the one that the machine was given in its user data is ${given.map(show).join(" or ")}. ` +
      "Either somebody is in between, or its image took no user data (does cloud-init run there?); nothing was sent to it. For images without cloud-init: ssh: { host_keys: console }",
    fingerprint(key),
    given.map(fingerprint),
  );
}

/** The machine's console shows other keys. */
export function notPrinted(address: string, key: string, printed: readonly string[]): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, but its console shows ${printed.join(" or ")}. Somebody may be in between; nothing was sent to it`,
    fingerprint(key),
    printed,
  );
}

/** Nothing is known of the host, and the policy believes no stranger. */
export function unknownHost(host: string, port: number, key: string, known: KnownKeys, trust: Trust): HostKeyError {
  const authorities = known.authorities
    ? " Its @cert-authority line does not help: host certificates are not supported."
    : "";
  const lacking =
    trust.hostKeys === "injected" || trust.hostKeys === "console"
      ? ` host_keys: ${trust.hostKeys} does not help: ${lacks(trust)}.`
      : "";
  return new HostKeyError(
    `the host key of ${hostAddress(host, port)} is not known; it presents ${show(key)}.${authorities}${lacking} ` +
      `Compare that with the machine's own and add it (ssh-keyscan -p ${port} ${host} >> ${trust.knownHosts}), or set ssh: { host_keys: accept-new }`,
    fingerprint(key),
    [],
  );
}

function lacks({ hostKeys, contact }: Trust): string {
  if (contact === null)
    return "it is for machines that the cloud has launched, and this host was there before (known-hosts and accept-new are possible)";
  return hostKeys === "injected"
    ? "this machine was given no key for its first contact (known-hosts, accept-new and, where the cloud shows consoles, console are possible)"
    : "its console cannot be asked";
}

function show(key: string): string {
  return `${fingerprint(key)} (${key.split(" ")[0] ?? ""})`;
}
