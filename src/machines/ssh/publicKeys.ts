/**
 * The public halves of the keys that will be offered to a machine, for it to let them in; and a key of our own where
 * there is none.
 */
import { readFile } from "node:fs/promises";
import ssh2, { type ParsedKey } from "ssh2";
import type { Environment } from "../../model/environment.js";
import { AuthenticationError } from "../contract/connection.js";
import { passphraseOf, usualFiles } from "./identities.js";
import type { SshSettings } from "./settings.js";
import { createHash } from "node:crypto";

/** A public key, and where it came from, for people. */
export interface PublicKey {
  /** `ssh-ed25519 AAAA…` */
  readonly key: string;
  readonly label: string;
}

type Who = Pick<SshSettings, "identities" | "passphraseEnv" | "agent" | "env">;

/**
 * What a machine must let in so that `loadIdentities` gets in: the identity files' keys; without files the agent's, and
 * those of the usual files that need no passphrase. May be none. Throws `AuthenticationError` for an identity of which
 * no public half can be found.
 */
export async function publicKeys({ identities, passphraseEnv, agent, env }: Who): Promise<PublicKey[]> {
  if (identities.length > 0)
    return Promise.all(
      identities.map(async (path) => ({ key: await publicHalf(path, passphraseOf(passphraseEnv, env)), label: path })),
    );
  return unique([...(agent ? await agentKeys(env) : []), ...(await usualKeys(env))]);
}

/**
 * The key's own file tells it, if its passphrase is known or it has none, or if it is OpenSSH's, which holds it in
 * clear; else its `.pub`.
 */
async function publicHalf(path: string, passphrase: string): Promise<string> {
  const text = await read(path);
  if (text === null) throw new AuthenticationError(`the private key ${path} does not exist`);
  if (parse(text, "") !== null && !/PRIVATE|PuTTY/.test(text))
    throw new AuthenticationError(`${path} is a public key; give the private one`);
  const key = parse(text, passphrase) ?? clearHalf(text) ?? parse((await read(`${path}.pub`)) ?? "", "");
  if (key !== null) return key;
  throw new AuthenticationError(
    `the private key ${path} does not tell its public half, which new machines must be given; write it beside it (ssh-keygen -y -f ${path} > ${path}.pub)`,
  );
}

/**
 * The public half that an OpenSSH private key holds in clear, whatever its passphrase: after the magic, cipher, KDF,
 * its options and a count of 1.
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
    return null; // cut off: no key at all
  }
}

/** An agent that does not answer offers nothing to a machine either. */
async function agentKeys(env: Environment): Promise<PublicKey[]> {
  const socket = env["SSH_AUTH_SOCK"] ?? "";
  if (socket === "") return [];
  const keys = await new Promise<readonly unknown[]>((resolve) => {
    ssh2.createAgent(socket).getIdentities((error, found) => {
      resolve(error ? [] : (found ?? []));
    });
  });
  return keys.flatMap((found) => {
    // What an agent tells comes parsed, as a blob, or with the blob in it.
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
    // What cannot be read is passed over, as it is when keys are offered.
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

/** `SHA256:…`, as ssh-keygen -l shows it. */
export function fingerprint(key: string): string {
  const blob = Buffer.from(key.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
