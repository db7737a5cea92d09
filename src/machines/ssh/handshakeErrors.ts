/** Errors of handshakes and logins, in words: what the machine said, and what to do. */
import type { Algorithms } from "ssh2";
import { guardOf } from "../../errors/bootlevelError.js";
import { AuthenticationError, ConnectionError, HostKeyError } from "../contract/connection.js";
import type { Authentication } from "./authentication.js";
import type { Identity } from "./identities.js";
import { offersOf, plainList, plainWords, wordsOf, type ServerOffers } from "./serverGreeting.js";

/** The port speaks no SSH, or none that bootlevel speaks. Final: a retry would find the same. */
export class ProtocolError extends ConnectionError {
  static override readonly code: string = "SSH_PROTOCOL";
}

export const isProtocolError = guardOf(ProtocolError);

export interface Attempt {
  /** `admin@10.0.0.4:22` */
  readonly label: string;
  readonly user: string;
  readonly identities: readonly Identity[];
  readonly auth: Authentication;
  /** What bootlevel offers. */
  readonly algorithms: Algorithms;
  /** What the machine sent first. */
  readonly bytes: Buffer;
}

/** The setting of sshd for each kind of algorithm, and how ssh2's messages call it. */
const KINDS: readonly {
  readonly words: RegExp;
  readonly name: string;
  readonly setting: string;
  readonly theirs: keyof ServerOffers;
  readonly ours: keyof Algorithms;
}[] = [
  { words: /key exchange/, name: "key exchange", setting: "KexAlgorithms", theirs: "kex", ours: "kex" },
  { words: /cipher/, name: "cipher", setting: "Ciphers", theirs: "cipher", ours: "cipher" },
  { words: /MAC/, name: "MAC", setting: "MACs", theirs: "mac", ours: "hmac" },
  { words: /compression/, name: "compression", setting: "Compression", theirs: "compression", ours: "compress" },
];

/** Explains an error of the client, or of the connection under it. */
export function explainHandshake(error: Error & { readonly level?: string }, attempt: Attempt): Error {
  const tooMany = /too many authentication failures/i.test(error.message);
  if (tooMany || error.level === "client-authentication") return refusedKeys(error, attempt, tooMany);
  if (/no matching host key format/.test(error.message)) return noHostKey(attempt);
  if (/no matching/.test(error.message)) return nothingInCommon(error, attempt);
  const lost = /lost before handshake|ECONNRESET|EPIPE/.test(error.message);
  if (lost || wordsOf(attempt.bytes) !== null) return closedEarly(attempt.bytes, error);
  // It may be what the server said when it hung up.
  return new ConnectionError(plainWords(error.message), { cause: error });
}

/** The connection ended before the login did. @param bytes what the machine sent until then */
export function closedEarly(bytes: Buffer, cause?: Error): ConnectionError {
  const words = wordsOf(bytes);
  if (words !== null)
    return new ConnectionError(`the machine said "${words}" instead of an SSH version, and let nobody in`, { cause });
  return new ConnectionError(
    bytes.length > 0
      ? "the machine closed the connection during the handshake"
      : "the machine closed the connection before the handshake: its sshd has too many logins under way (MaxStartups) " +
          "or turns this address away (fail2ban, /etc/hosts.deny)",
    { cause },
  );
}

/** The port speaks another protocol. */
export function foreignPort(label: string, protocol: string, bytes: Buffer): ProtocolError {
  const words = protocol === "TLS" ? "" : `: "${wordsOf(bytes) ?? ""}"`;
  return new ProtocolError(
    `${label} is no SSH server: the port speaks ${protocol}${words}. Set the port of its sshd with ssh: { port: … }`,
  );
}

function refusedKeys(error: Error, { label, user, identities, auth }: Attempt, tooMany: boolean): AuthenticationError {
  const offered = identities.map((identity) => identity.label).join(", ");
  const accepts = auth.accepted.length === 0 ? "" : ` (it accepts ${plainList(auth.accepted)})`;
  if (auth.partial)
    return new AuthenticationError(
      `${label} took a key but wants more than that${accepts}: bootlevel logs in with keys only. ` +
        `Allow ${user} to log in with a key alone (AuthenticationMethods publickey in its sshd_config)`,
      { cause: error },
    );
  if (tooMany)
    return new AuthenticationError(
      `${label} ended the login after too many keys (MaxAuthTries in its sshd_config), so perhaps before the right one ` +
        `could be tried: there were ${auth.keys} keys of ${offered}. Name the right one with ssh: { identity: … }, ` +
        "which is tried first, or offer fewer: ssh: { agent: false }",
      { cause: error },
    );
  return new AuthenticationError(
    `${label} refused every key: ${offered}${accepts}. Add the public key to ${user}'s authorized_keys there`,
    { cause: error },
  );
}

function noHostKey({ label, algorithms, bytes }: Attempt): HostKeyError {
  const known = listOf(algorithms.serverHostKey);
  const offers = offersOf(bytes)?.hostKey;
  return new HostKeyError(
    `${label} offers no host key of a known type (${known.join(", ")})` +
      `${offers === undefined ? "" : `, but ${plainList(offers)}`}; nothing was sent to it. ` +
      "If its keys were changed, replace its line in known_hosts; if its type is too old, make it a new one there " +
      "(ssh-keygen -A) and name it in its sshd_config (HostKey)",
    "",
    [],
  );
}

function nothingInCommon(error: Error, { label, algorithms, bytes }: Attempt): ProtocolError {
  const kind = KINDS.find(({ words }) => words.test(error.message));
  if (kind === undefined) return new ProtocolError(`${label}: ${plainWords(error.message)}`, { cause: error });
  const theirs = offersOf(bytes)?.[kind.theirs];
  const offer = theirs === undefined ? "" : `it offers ${plainList(theirs)}; `;
  return new ProtocolError(
    `${label} and bootlevel have no ${kind.name} in common: ${offer}` +
      `bootlevel offers ${listOf(algorithms[kind.ours]).join(", ")}. ` +
      `Allow one of these in the machine's sshd_config (${kind.setting})`,
    { cause: error },
  );
}

function listOf(algorithms: Algorithms[keyof Algorithms]): readonly string[] {
  return Array.isArray(algorithms) ? algorithms : [];
}
