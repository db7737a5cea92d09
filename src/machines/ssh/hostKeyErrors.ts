/** Errors for refused host keys. Each says which key was presented, which was expected, and what to do. */
import { HostKeyError } from "../contract/connection.js";
import { type KnownKeys, SYSTEM_FILE } from "./knownHosts.js";
import { hostAddress, type Trust } from "./settings.js";
import { fingerprint } from "./publicKeys.js";

/** The key is revoked in known_hosts. */
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
    `${address} presents the host key ${show(key)}, but the known key is ${expected.map(show).join(" or ")}. ` +
      "Either the machine was recreated or the connection is intercepted; nothing was sent to it",
    fingerprint(key),
    expected.map(fingerprint),
  );
}

/** The machine presents another key than the temporary one from its launch. */
export function notGiven(address: string, key: string, given: readonly string[]): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, ` +
      `but its user data gave it ${given.map(show).join(" or ")}. ` +
      "Either the connection is intercepted or its image ignored the user data (does cloud-init run there?); " +
      "nothing was sent to it. For images without cloud-init, set ssh: { host_keys: console }",
    fingerprint(key),
    given.map(fingerprint),
  );
}

/** The machine's console shows other keys. */
export function notPrinted(address: string, key: string, printed: readonly string[]): HostKeyError {
  return new HostKeyError(
    `${address} presents the host key ${show(key)}, but its console shows ${printed.join(" or ")}. ` +
      "The connection may be intercepted; nothing was sent to it",
    fingerprint(key),
    printed,
  );
}

/** The host is unknown, and the policy accepts no unknown host. */
export function unknownHost(host: string, port: number, key: string, known: KnownKeys, trust: Trust): HostKeyError {
  const authorities = known.authorities
    ? " Its @cert-authority line does not help: host certificates are not supported."
    : "";
  const lacking =
    trust.hostKeys === "injected" || trust.hostKeys === "console"
      ? ` host_keys: ${trust.hostKeys} does not help: ${lacks(trust)}.`
      : "";
  return new HostKeyError(
    `the host key of ${hostAddress(host, port)} is unknown; it presents ${show(key)}.${authorities}${lacking} ` +
      `Compare it with the machine's own key and add it (ssh-keyscan -p ${port} ${host} >> ${trust.knownHosts}), ` +
      "or set ssh: { host_keys: accept-new }",
    fingerprint(key),
    [],
  );
}

function lacks({ hostKeys, contact }: Trust): string {
  if (contact === null)
    return (
      "it applies only to machines that the cloud launched, and this host existed before " +
      "(known-hosts and accept-new are possible)"
    );
  return hostKeys === "injected"
    ? "this machine got no temporary key at launch " +
        "(known-hosts, accept-new and, where the cloud shows consoles, console are possible)"
    : "its console cannot be read";
}

function show(key: string): string {
  return `${fingerprint(key)} (${key.split(" ")[0] ?? ""})`;
}
