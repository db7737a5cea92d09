/** Reads key files in every format that OpenSSH accepts. ssh2 knows all of them but PKCS#8, which openssl writes. */
import { createPrivateKey, createPublicKey } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";
import { ed25519File, HALF_BYTES } from "./keyPair.js";

const PKCS8 = /-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/;

/**
 * Parses a private or public key.
 * @param passphrase "" for none
 * @returns the key; or an error, which says "encrypted" or "passphrase" if a passphrase is missing or wrong
 */
export function parseKeyFile(text: string, passphrase: string): ParsedKey | Error {
  const pkcs8 = PKCS8.exec(text);
  if (pkcs8 !== null) return parsePkcs8(text, pkcs8[1] !== undefined, passphrase);
  // For a file with several keys ssh2 returns an array, which its types do not say.
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase === "" ? undefined : passphrase);
  return (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error;
}

/** Converts the key to a format that ssh2 reads. */
function parsePkcs8(text: string, encrypted: boolean, passphrase: string): ParsedKey | Error {
  if (encrypted && passphrase === "") return new Error("the key is encrypted, but no passphrase is given");
  try {
    const key = createPrivateKey({ key: text, format: "pem", ...(encrypted ? { passphrase } : {}) });
    const type = key.asymmetricKeyType;
    if (type === "rsa") return parseKeyFile(key.export({ type: "pkcs1", format: "pem" }).toString(), "");
    if (type === "ec") return parseKeyFile(key.export({ type: "sec1", format: "pem" }).toString(), "");
    if (type !== "ed25519") return new Error(`SSH has no keys of the type ${String(type)}`);
    // Both DER forms end with the raw key (RFC 8410).
    const seed = key.export({ type: "pkcs8", format: "der" }).subarray(-HALF_BYTES);
    const point = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-HALF_BYTES);
    return parseKeyFile(ed25519File(seed, point, "").privateKey, "");
  } catch (error) {
    const { message } = error as Error;
    return new Error(encrypted ? `bad passphrase? ${message}` : message, { cause: error });
  }
}
