/** The public keys that a new machine must authorise so that the launcher can log in. */
import { readFile } from "node:fs/promises";
import ssh2, { type ParsedKey } from "ssh2";
import type { Environment } from "../../model/environment.js";
import { AuthenticationError } from "../contract/connection.js";
import { passphraseOf, usualFiles } from "./identities.js";
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
      identities.map(async (path) => ({ key: await publicHalf(path, passphraseOf(passphraseEnv, env)), label: path })),
    );
  return unique([...(agent ? await agentKeys(env) : []), ...(await usualKeys(env))]);
}

/**
 * Reads the public half from the key file if it needs no passphrase, if the passphrase is known, or if it is an OpenSSH
 * file, which holds the public half in clear text; otherwise from `.pub`.
 */
async function publicHalf(path: string, passphrase: string): Promise<string> {
  const text = await read(path);
  if (text === null) throw new AuthenticationError(`the private key ${path} does not exist`);
  if (parse(text, "") !== null && !/PRIVATE|PuTTY/.test(text))
    throw new AuthenticationError(`${path} is a public key; name the private key instead`);
  const key = parse(text, passphrase) ?? clearHalf(text) ?? parse((await read(`${path}.pub`)) ?? "", "");
  if (key !== null) return key;
  throw new AuthenticationError(
    `the private key ${path} does not reveal its public half, which new machines need; ` +
      `write it to a file beside it (ssh-keygen -y -f ${path} > ${path}.pub)`,
  );
}

/**
 * The public half that an OpenSSH private key holds in clear text. It follows the magic, cipher, KDF, KDF options and a
 * count of 1.
 */
function clearHalf(text: string): string | null {
  const [, body] = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text) ?? [];
  if (body === undefined) return null;
  const bytes = Buffer.from(body, "base64");
  let at = "openssh-key-v1\0".length;
  try {
    for (let skipped = 0; skipped < 3; skipped++) at += 4 + bytes.readUInt32BE(at);
    at += 4;
    const blob = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at));
    return `${blob.toString("latin1", 4, 4 + blob.readUInt32BE(0))} ${blob.toString("base64")}`;
  } catch {
    return null; // truncated: not a key
  }
}

/** An agent that does not answer cannot offer keys to a machine either, so it counts as empty. */
async function agentKeys(env: Environment): Promise<PublicKey[]> {
  const socket = env["SSH_AUTH_SOCK"] ?? "";
  if (socket === "") return [];
  const keys = await new Promise<readonly unknown[]>((resolve) => {
    ssh2.createAgent(socket).getIdentities((error, found) => {
      resolve(error ? [] : (found ?? []));
    });
  });
  return keys.flatMap((found) => {
    // The agent returns a parsed key, a blob, or an object with either.
    const key = found as ParsedKey | Buffer | { readonly pubKey: ParsedKey | Buffer };
    const parsed = "pubKey" in key ? key.pubKey : key;
    const blob = Buffer.isBuffer(parsed) ? parsed : parsed.getPublicSSH();
    return [
      {
        key: `${blob.toString("latin1", 4, 4 + blob.readUInt32BE(0))} ${blob.toString("base64")}`,
        label: `the agent at ${socket}`,
      },
    ];
  });
}

async function usualKeys(env: Environment): Promise<PublicKey[]> {
  const keys: PublicKey[] = [];
  for (const path of usualFiles(env)) {
    // Unreadable files are skipped here, as they are when keys are offered.
    const key = parse((await read(path).catch(() => null)) ?? "", "");
    if (key !== null) keys.push({ key, label: path });
  }
  return keys;
}

function parse(text: string, passphrase: string): string | null {
  if (text === "") return null;
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase === "" ? undefined : passphrase);
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error;
  return key instanceof Error ? null : lineOf(key);
}

function lineOf(key: ParsedKey): string {
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}

function unique(keys: readonly PublicKey[]): PublicKey[] {
  return [...new Map([...keys].reverse().map((one) => [one.key, one])).values()].reverse();
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    throw new AuthenticationError(`${path} cannot be read: ${message}`, { cause: error });
  }
}

/** `SHA256:…`, as ssh-keygen -l prints it. */
export function fingerprint(key: string): string {
  const blob = Buffer.from(key.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
