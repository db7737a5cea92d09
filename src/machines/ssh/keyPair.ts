/** Generates and writes key pairs: host keys for machines before launch, and a login key for a launcher that has none. */
import { generateKeyPairSync, randomBytes } from "node:crypto";

/** A key pair in OpenSSH's file formats. The private key must not be stored in clear text or logged. */
export interface KeyPair {
  /** `-----BEGIN OPENSSH PRIVATE KEY-----` … */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, one line without a newline. */
  readonly publicKey: string;
}

const TYPE = "ssh-ed25519";
/**
 * Both DER forms end with the raw key (RFC 8410). Exporting as JWK is not an option: in about one of ten thousand keys,
 * Node 20 deadlocks if garbage collection runs during the export (the clean-up takes the key's lock again).
 */
export const HALF_BYTES = 32;
/** The private section of the file is padded to a multiple of this. */
const BLOCK_BYTES = 8;

/**
 * Generates an Ed25519 pair in OpenSSH's own format, the only one that OpenSSH accepts for Ed25519. ssh2 1.17 has a
 * generator too, but about one in a hundred of its keys is invalid.
 */
export function makeKeyPair(comment: string): KeyPair {
  const pair = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "der" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  const [seed, point] = [pair.privateKey.subarray(-HALF_BYTES), pair.publicKey.subarray(-HALF_BYTES)];
  return ed25519File(seed, point, comment);
}

/**
 * Writes an Ed25519 pair in OpenSSH's own format.
 * @param seed the raw private key. @param point the raw public key.
 */
export function ed25519File(seed: Buffer, point: Buffer, comment: string): KeyPair {
  const publicBlob = Buffer.concat([field(TYPE), field(point)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, publicBlob, field(Buffer.concat([seed, point])), field(comment)]);
  const padding = Buffer.from(
    Array.from({ length: (BLOCK_BYTES - (secret.length % BLOCK_BYTES)) % BLOCK_BYTES }, (_, index) => index + 1),
  );
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    field("none"),
    field("none"),
    field(""),
    uint32(1),
    field(publicBlob),
    field(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString("base64").match(/.{1,70}/g) ?? [];
  return {
    privateKey: ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n"),
    publicKey: `${TYPE} ${publicBlob.toString("base64")}`,
  };
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
