/** The public keys that a new machine must authorise so that the launcher can log in. */
import type { Environment } from "../../model/environment.js";
import { AuthenticationError } from "../contract/connection.js";
import { agentKeys } from "./agentKeys.js";
import { passphraseOf, usualFiles } from "./identities.js";
import { isPublicKeyFile, keyLine, noPrivateHalf, publicHalf, publicLine, readText } from "./publicHalf.js";
import type { SshSettings } from "./settings.js";
import { createHash } from "node:crypto";

/** A public key and its origin, for messages. */
export interface PublicKey {
  /** `ssh-ed25519 AAAA…` */
  readonly key: string;
  readonly label: string;
}

type IdentitySettings = Pick<SshSettings, "identities" | "passphraseEnv" | "agent" | "env">;

/**
 * The public halves of the keys that `loadIdentities` offers: those of the identity files; without any, those of the
 * agent and of the usual files that need no passphrase. May be empty.
 * @throws AuthenticationError for an identity whose public half cannot be found.
 */
export async function publicKeys({ identities, passphraseEnv, agent, env }: IdentitySettings): Promise<PublicKey[]> {
  if (identities.length > 0)
    return Promise.all(
      identities.map(async (path) => ({ key: await namedKey(path, { passphraseEnv, agent, env }), label: path })),
    );
  return unique([...(agent ? await keysOfAgent(env) : []), ...(await usualKeys(env))]);
}

/** @throws AuthenticationError if the public half cannot be found, or nobody has the private half. */
async function namedKey(
  path: string,
  { passphraseEnv, agent, env }: Omit<IdentitySettings, "identities">,
): Promise<string> {
  const key = await publicHalf(path, passphraseOf(passphraseEnv, env));
  if (key === null)
    throw new AuthenticationError(
      `the private key ${path} does not reveal its public half, which new machines need; ` +
        `write it to a file beside it (ssh-keygen -y -f ${path} > ${path}.pub)`,
    );
  if (await isPublicKeyFile(path)) {
    const held = agent ? (await agentKeys(env)).map(keyLine) : [];
    if (!held.includes(key)) throw new AuthenticationError(noPrivateHalf(path));
  }
  return key;
}

/** An agent that does not answer cannot offer keys to a machine either, so it counts as empty. */
async function keysOfAgent(env: Environment): Promise<PublicKey[]> {
  const label = `the agent at ${env["SSH_AUTH_SOCK"] ?? ""}`;
  return (await agentKeys(env)).map((blob) => ({ key: keyLine(blob), label }));
}

async function usualKeys(env: Environment): Promise<PublicKey[]> {
  const keys: PublicKey[] = [];
  for (const path of usualFiles(env)) {
    // Unreadable files are skipped here, as they are when keys are offered.
    const key = publicLine((await readText(path).catch(() => null)) ?? "", "");
    if (key !== null) keys.push({ key, label: path });
  }
  return keys;
}

function unique(keys: readonly PublicKey[]): PublicKey[] {
  return [...new Map([...keys].reverse().map((one) => [one.key, one])).values()].reverse();
}

/** `SHA256:…`, as ssh-keygen -l prints it. */
export function fingerprint(key: string): string {
  const blob = Buffer.from(key.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
