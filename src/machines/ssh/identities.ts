/**
 * The keys to offer to a machine: identity files, then the agent. Without identity files: the agent, then the usual
 * files.
 */
import { join } from "node:path";
import type { ParsedKey } from "ssh2";
import { userHome, type Environment } from "../../model/environment.js";
import { guardOf } from "../../errors/bootlevelError.js";
import { AuthenticationError, isAuthenticationError } from "../contract/connection.js";
import { agentKeys } from "./agentKeys.js";
import { cachedFile } from "./fileCache.js";
import { parseKeyFile } from "./keyFormats.js";
import { noPrivateHalf, publicHalf } from "./publicHalf.js";
import type { SshSettings } from "./settings.js";

export type Identity =
  | { readonly kind: "key"; readonly label: string; readonly key: ParsedKey }
  | {
      readonly kind: "agent";
      readonly label: string;
      readonly socket: string;
      /** Whether a public key of the agent is offered. */
      readonly selects: (blob: Buffer) => boolean;
    };

type IdentitySettings = Pick<SshSettings, "identities" | "passphraseEnv" | "agent" | "ownKey" | "env">;

const USUAL_FILES = ["id_ed25519", "id_ecdsa", "id_rsa"];

/**
 * Loads the keys to offer. A named key that is locked, or of which only the public half is there, is used through the
 * agent if the agent holds it.
 * @throws AuthenticationError for an unusable key, with a remedy; a retry would not help.
 */
export async function loadIdentities(settings: IdentitySettings): Promise<Identity[]> {
  const files: Identity[] = [];
  for (const path of settings.identities) files.push(await namedIdentity(path, settings));
  const others = agentIdentity(settings, files);
  const identities = [
    ...(files.length > 0 ? [...files, ...others] : [...others, ...(await usualKeys(settings.env))]),
    ...ownKey(settings),
  ];
  if (identities.length > 0) return identities;
  throw new AuthenticationError(
    `no SSH key to offer: no identity is given, ` +
      `${settings.agent ? "SSH_AUTH_SOCK is not set" : "the agent is turned off"}, ` +
      `and ~/.ssh has no readable key without a passphrase (${USUAL_FILES.join(", ")}). Set ssh: identity`,
  );
}

/** The agent's keys, without those that are offered before. */
function agentIdentity({ agent, env }: Pick<SshSettings, "agent" | "env">, before: readonly Identity[]): Identity[] {
  const socket = agent ? (env["SSH_AUTH_SOCK"] ?? "") : "";
  if (socket === "") return [];
  const selects = (blob: Buffer): boolean =>
    !before.some((one) => (one.kind === "key" ? one.key.getPublicSSH().equals(blob) : one.selects(blob)));
  return [{ kind: "agent", label: `the agent at ${socket}`, socket, selects }];
}

async function namedIdentity(path: string, settings: IdentitySettings): Promise<Identity> {
  try {
    return { kind: "key", label: path, key: await loadKey(path, settings) };
  } catch (error) {
    if (!isLockedKeyError(error)) throw error;
    const held = await heldByAgent(path, error, settings);
    if (held === null) throw error;
    return held;
  }
}

/** The named key, if the agent holds its private half. */
async function heldByAgent(
  path: string,
  locked: LockedKeyError,
  { agent, env }: IdentitySettings,
): Promise<Identity | null> {
  const socket = agent ? (env["SSH_AUTH_SOCK"] ?? "") : "";
  if (socket === "") return null;
  const half = locked.publicKey ?? (await publicHalf(path, ""));
  if (half === null) return null;
  const blob = Buffer.from(half.split(" ")[1] ?? "", "base64");
  if (!(await agentKeys(env)).some((key) => key.equals(blob))) return null;
  return { kind: "agent", label: `${path} (in the agent)`, socket, selects: (other) => other.equals(blob) };
}

/** The private key cannot be used without the agent. */
class LockedKeyError extends AuthenticationError {
  static override readonly code: string = "LOCKED_KEY";
  /** @param publicKey `ssh-ed25519 AAAA…` if the file tells it */
  constructor(
    message: string,
    readonly publicKey: string | null,
  ) {
    super(message);
  }
}

const isLockedKeyError = guardOf(LockedKeyError);

/** The key pair that bootlevel generated because there was no other. */
function ownKey(settings: Pick<SshSettings, "ownKey">): Identity[] {
  if (settings.ownKey === null) return [];
  const key = parseKeyFile(settings.ownKey, "");
  if (key instanceof Error) throw new AuthenticationError(`the run's own key cannot be read: ${key.message}`);
  return [{ kind: "key", label: "the run's own key", key }];
}

/** Parsers of key files, by passphrase. */
const parsers = new Map<string, (path: string) => Promise<ParsedKey | Error>>();

async function loadKey(
  path: string,
  { passphraseEnv, env }: Pick<SshSettings, "passphraseEnv" | "env">,
): Promise<ParsedKey> {
  const passphrase = passphraseOf(passphraseEnv, env);
  const parse = parsers.get(passphrase) ?? cachedFile((text) => parseKeyFile(text.toString("latin1"), passphrase));
  parsers.set(passphrase, parse);
  const key = await parse(path).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AuthenticationError(
      `the private key ${path} ${code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`}`,
      { cause },
    );
  });
  if (key instanceof Error) throw unusable(path, key, passphraseEnv, passphrase);
  if (!key.isPrivateKey())
    throw new LockedKeyError(noPrivateHalf(path), `${key.type} ${key.getPublicSSH().toString("base64")}`);
  return key;
}

function unusable(path: string, error: Error, passphraseEnv: string | null, passphrase: string): AuthenticationError {
  if (passphrase !== "") {
    const wrong = /passphrase|decrypt|integrity|bad/i.test(error.message);
    return new AuthenticationError(
      `the private key ${path} ` +
        `${wrong ? `does not open with the passphrase in $${String(passphraseEnv)}` : "cannot be read"} (${error.message})`,
    );
  }
  if (!isEncrypted(error)) return new AuthenticationError(`the private key ${path} cannot be read: ${error.message}`);
  const remedy =
    passphraseEnv === null
      ? "name the environment variable that holds it with ssh: { passphrase_env: NAME }, or load the key into the agent"
      : `set the environment variable ${passphraseEnv}`;
  return new LockedKeyError(`the private key ${path} has a passphrase: ${remedy}`, null);
}

function isEncrypted(error: Error): boolean {
  return /encrypted|passphrase/i.test(error.message);
}

/** The key files that are tried where no identity is given. */
export function usualFiles(env: Environment): string[] {
  return USUAL_FILES.map((name) => join(userHome(env), ".ssh", name));
}

/** The passphrase in the environment variable `name`; "" where there is none. */
export function passphraseOf(name: string | null, env: Environment): string {
  return name === null ? "" : (env[name] ?? "");
}

/** Skips unusable keys: the user did not ask for these. */
async function usualKeys(env: Environment): Promise<Identity[]> {
  const keys: Identity[] = [];
  for (const path of usualFiles(env)) {
    try {
      keys.push({ kind: "key", label: path, key: await loadKey(path, { passphraseEnv: null, env }) });
    } catch (error) {
      if (!isAuthenticationError(error)) throw error;
    }
  }
  return keys;
}
