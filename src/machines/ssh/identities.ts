/**
 * The keys to offer to a machine: identity files, then the agent. Without identity files: the agent, then the usual
 * files.
 */
import { join } from "node:path";
import ssh2, { type ParsedKey } from "ssh2";
import { userHome, type Environment } from "../../model/environment.js";
import { AuthenticationError, isAuthenticationError } from "../contract/connection.js";
import { cachedFile } from "./fileCache.js";
import type { SshSettings } from "./settings.js";

export type Identity =
  | { readonly kind: "key"; readonly label: string; readonly key: ParsedKey }
  | { readonly kind: "agent"; readonly label: string; readonly socket: string };

const USUAL_FILES = ["id_ed25519", "id_ecdsa", "id_rsa"];

/**
 * Loads the keys to offer.
 * @throws AuthenticationError for an unusable key, with a remedy; a retry would not help.
 */
export async function loadIdentities(
  settings: Pick<SshSettings, "identities" | "passphraseEnv" | "agent" | "ownKey" | "env">,
): Promise<Identity[]> {
  const files: Identity[] = [];
  for (const path of settings.identities) files.push({ kind: "key", label: path, key: await loadKey(path, settings) });
  const socket = settings.env["SSH_AUTH_SOCK"] ?? "";
  const agent: Identity[] =
    settings.agent && socket !== "" ? [{ kind: "agent", label: `the agent at ${socket}`, socket }] : [];
  const identities = [
    ...(files.length > 0 ? [...files, ...agent] : [...agent, ...(await usualKeys(settings.env))]),
    ...ownKey(settings),
  ];
  if (identities.length > 0) return identities;
  throw new AuthenticationError(
    `no SSH key to offer: no identity is given, ` +
      `${settings.agent ? "SSH_AUTH_SOCK is not set" : "the agent is turned off"}, ` +
      `and ~/.ssh has no readable key without a passphrase (${USUAL_FILES.join(", ")}). Set ssh: identity`,
  );
}

/** The key pair that bootlevel generated because there was no other. */
function ownKey(settings: Pick<SshSettings, "ownKey">): Identity[] {
  if (settings.ownKey === null) return [];
  const key = ssh2.utils.parseKey(settings.ownKey);
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
  const parse = parsers.get(passphrase) ?? cachedFile((text) => parseKey(text, passphrase));
  parsers.set(passphrase, parse);
  const key = await parse(path).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AuthenticationError(
      `the private key ${path} ${code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`}`,
      { cause },
    );
  });
  if (key instanceof Error) throw unusable(path, key, passphraseEnv, passphrase);
  if (!key.isPrivateKey()) throw new AuthenticationError(`${path} is a public key; name the private key instead`);
  return key;
}

function parseKey(text: Buffer, passphrase: string): ParsedKey | Error {
  // For a file with several keys ssh2 returns an array, which its types do not say.
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase === "" ? undefined : passphrase);
  return (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error;
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
  return new AuthenticationError(`the private key ${path} has a passphrase: ${remedy}`);
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
