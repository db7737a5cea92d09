/** The public half of a key file. */
import { readFile } from "node:fs/promises";
import { AuthenticationError } from "../contract/connection.js";
import { parseKeyFile } from "./keyFormats.js";

/**
 * Reads the public half from the key file if it needs no passphrase, if the passphrase is known, or if it is an OpenSSH
 * file, which holds the public half in clear text; otherwise from `.pub`. The file may be a public key itself.
 * @returns `ssh-ed25519 AAAA…`, or null where nothing tells it. @throws AuthenticationError for an unreadable file.
 */
export async function publicHalf(path: string, passphrase: string): Promise<string | null> {
  const text = await readText(path);
  if (text === null) throw new AuthenticationError(`the private key ${path} does not exist`);
  return publicLine(text, passphrase) ?? clearHalf(text) ?? publicLine((await readText(`${path}.pub`)) ?? "", "");
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
    return keyLine(blob);
  } catch {
    return null; // truncated: not a key
  }
}

/** The public half of a key's text as `ssh-ed25519 AAAA…`, or null if the text does not tell it without a passphrase. */
export function publicLine(text: string, passphrase: string): string | null {
  if (text === "") return null;
  const key = parseKeyFile(text, passphrase);
  return key instanceof Error ? null : `${key.type} ${key.getPublicSSH().toString("base64")}`;
}

/** A public key as OpenSSH writes it: `ssh-ed25519 AAAA…`. */
export function keyLine(blob: Buffer): string {
  return `${blob.toString("latin1", 4, 4 + blob.readUInt32BE(0))} ${blob.toString("base64")}`;
}

/** The text of a file, or null if there is none. @throws AuthenticationError if it cannot be read. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    throw new AuthenticationError(`${path} cannot be read: ${message}`, { cause: error });
  }
}

/** Whether the file holds a public key only. */
export async function isPublicKeyFile(path: string): Promise<boolean> {
  const text = (await readText(path)) ?? "";
  return publicLine(text, "") !== null && !/PRIVATE|PuTTY/.test(text);
}

/** The message for a public key file whose private half nobody has. */
export function noPrivateHalf(path: string): string {
  return (
    `${path} is a public key, and no agent holds its private half: load that (ssh-add), ` +
    "or name the private key instead"
  );
}
