/** Host keys that are made for machines before they exist. */
import { generateKeyPairSync, randomBytes } from "node:crypto";

/** A key pair as sshd reads it from its files. The private half goes to the machine and nowhere else: it is neither stored nor logged. */
export interface HostKey {
  /** `-----BEGIN OPENSSH PRIVATE KEY-----` … */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, one line without its end. */
  readonly publicKey: string;
}

const TYPE = "ssh-ed25519";
/** The private part of the file is filled up to a multiple of this. */
const BLOCK_BYTES = 8;

/** Makes an Ed25519 host key in OpenSSH's own format: sshd takes Ed25519 in no other. */
export function makeHostKey(): HostKey {
  const { d = "", x = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const [seed, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
  const publicBlob = Buffer.concat([field(TYPE), field(point)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, publicBlob, field(Buffer.concat([seed, point])), field("")]);
  const padding = Buffer.from(Array.from({ length: (BLOCK_BYTES - (secret.length % BLOCK_BYTES)) % BLOCK_BYTES }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"), field("none"), field("none"), field(""), uint32(1), field(publicBlob), field(Buffer.concat([secret, padding])),
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
