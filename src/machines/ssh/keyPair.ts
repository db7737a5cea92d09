/** Key pairs that are made here: for machines before they exist, and for a launcher that has no key of its own. */
import { generateKeyPairSync, randomBytes } from "node:crypto";

/** A key pair as OpenSSH reads it from its files. The private half must be neither stored in clear nor logged. */
export interface KeyPair {
  /** `-----BEGIN OPENSSH PRIVATE KEY-----` … */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, one line without its end. */
  readonly publicKey: string;
}

const TYPE = "ssh-ed25519";
/**
 * Both DER forms end with the bare half (RFC 8410). Not by way of a key object: Node 20 freezes for ever when it
 * collects garbage while a new key is exported as JWK (the key's lock is taken again by what cleans up after its
 * generation), once in some ten thousand keys.
 */
const HALF_BYTES = 32;
/** The private part of the file is filled up to a multiple of this. */
const BLOCK_BYTES = 8;

/**
 * A new Ed25519 pair in OpenSSH's own format: it takes Ed25519 in no other. (ssh2 1.17 makes one, too, but about one in
 * a hundred is wrong.)
 */
export function makeKeyPair(comment: string): KeyPair {
  const pair = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "der" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  const [seed, point] = [pair.privateKey.subarray(-HALF_BYTES), pair.publicKey.subarray(-HALF_BYTES)];
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
