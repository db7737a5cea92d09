/**
 * The user data of a machine: the plan's own, and the keys for the first connection. cloud-init reads both. The keys
 * are merged into the plan's cloud-config if that is simple; otherwise they are a part of a MIME message.
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

import { isMap, isScalar, isSeq, parseDocument, stringify, type Document, type Tags } from "yaml";

import type { KeyPair } from "../../machines/ssh/keyPair.js";
import { DriverError, type Contact } from "../contract/driver.js";

/** EC2's limit, before base64. */
const MOST_BYTES = 16_384;

/** The first characters of each kind of user data, longest first, and cloud-init's name for the kind. */
const KINDS = [
  ["#cloud-config-archive", "text/cloud-config-archive"],
  ["#cloud-config-jsonp", "text/cloud-config-jsonp"],
  ["## template: jinja", "text/jinja2"],
  ["#cloud-boothook", "text/cloud-boothook"],
  ["#include-once", "text/x-include-once-url"],
  ["#cloud-config", "text/cloud-config"],
  ["#part-handler", "text/part-handler"],
  ["#include", "text/x-include-url"],
  ["#!", "text/x-shellscript"],
] as const;

/** Our lists are appended to those of earlier parts. For all other keys, the earlier part wins. */
const MERGE_TYPE = "list(append)+dict(no_replace,recurse_list)+str()";

/**
 * Every scalar stays text as written, except null, which would become "". Authors and cloud-init use YAML 1.1, in which
 * `on` is true and `0644` is octal.
 */
const AS_WRITTEN = { schema: "failsafe", customTags: (tags: Tags): Tags => [...tags, "null"] } as const;

interface Keys {
  readonly ssh_authorized_keys?: readonly string[];
  readonly ssh_deletekeys?: true;
  readonly ssh_keys?: { readonly ed25519_private: string; readonly ed25519_public: string };
}

/**
 * Builds a machine's user data.
 * @param own the plan's `user_data`, or null.
 * @param keyName the plan's `key_name`. With it, EC2 itself authorizes a key, so `contact` need not.
 * @param hostKey the host key that the machine presents at the first connection.
 * @returns the bytes before base64, or null for none.
 * @throws DriverError if the keys cannot be merged with the plan's user data, or if the result is too large.
 */
export function userData(
  own: string | null,
  contact: Contact | null,
  keyName: string | null,
  hostKey: KeyPair | null,
): Buffer | null {
  const keys = keysOf(keyName === null ? (contact?.authorizedKeys ?? []) : [], hostKey);
  if (Object.keys(keys).length === 0) return own === null ? null : fitting(own);
  if (own === null || own.trim() === "") return fitting(`#cloud-config\n${stringify(keys, { lineWidth: 0 })}`);
  const kind = kindOf(own);
  if (kind === null)
    throw new DriverError(
      "user_data has no format that cloud-init accepts, so keys for the first connection cannot be added: " +
        "begin it with #cloud-config, #!, #include, #cloud-boothook, #part-handler, #cloud-config-archive, " +
        "#cloud-config-jsonp or ## template: jinja, or write a MIME message; " +
        "or set key_name and ssh: { host_keys: console } or accept-new",
    );
  const merged = kind === "text/cloud-config" ? mergedConfig(own, keys) : null;
  if (merged !== null) return fitting(merged);
  if (hostKey !== null && setsHostKeys(kind, own)) throw twoHostKeys();
  return fitting(
    message([
      kind === "mime" ? nested(own) : part(kind, own),
      part("text/cloud-config", stringify(keys, { lineWidth: 0 }), [`X-Merge-Type: ${MERGE_TYPE}`]),
    ]),
  );
}

function keysOf(authorized: readonly string[], hostKey: KeyPair | null): Keys {
  return {
    ...(authorized.length === 0 ? {} : { ssh_authorized_keys: authorized }),
    ...(hostKey === null
      ? {}
      : { ssh_deletekeys: true, ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey } }),
  };
}

/** Detects the kind as cloud-init does: by the first characters, and "mime" by a header near the beginning. */
function kindOf(text: string): (typeof KINDS)[number][1] | "mime" | null {
  const start = text.trimStart().toLowerCase();
  const known = KINDS.find(([words]) => start.startsWith(words));
  if (known !== undefined) return known[1];
  return /^mime-version:/m.test(start.slice(0, 4096)) ? "mime" : null;
}

/** The plan's cloud-config with the keys added, or null if that could change other keys. */
function mergedConfig(own: string, keys: Keys): string | null {
  const [first = "", ...rest] = own.trimStart().split(/\r?\n/);
  const document = configIn(rest.join("\n"));
  if (keys.ssh_keys !== undefined && document.has("ssh_keys")) throw twoHostKeys();
  if (isShared(document)) return null;
  for (const key of keys.ssh_authorized_keys ?? []) addKey(document, key);
  if (keys.ssh_keys !== undefined) {
    if (!document.has("ssh_deletekeys")) document.set("ssh_deletekeys", "true");
    document.set("ssh_keys", document.createNode(keys.ssh_keys));
  }
  return `${first}\n${document.toString({ lineWidth: 0 })}`;
}

function configIn(text: string): Document {
  const document: Document = parseDocument(text, {
    ...AS_WRITTEN,
    prettyErrors: false,
    logLevel: "error",
    uniqueKeys: false,
  });
  const [error] = document.errors;
  if (error !== undefined)
    throw new DriverError(`line ${lineAt(text, error.pos[0]) + 1} of user_data is not valid YAML: ${error.message}`);
  if (document.contents === null || isEmpty(document.contents)) document.contents = document.createNode({});
  if (!isMap(document.contents))
    throw new DriverError("user_data is not a cloud-config: after #cloud-config, a map of keys must follow");
  return document;
}

/** Whether changing the list of keys could affect other keys, or the reverse: anchors, merges, duplicate keys. */
function isShared(document: Document): boolean {
  if (!isMap(document.contents)) return true;
  const names = document.contents.items.map(({ key }) => String(key));
  if (names.includes("<<") || names.filter((name) => name === "ssh_authorized_keys").length > 1) return true;
  const list = document.get("ssh_authorized_keys", true);
  if (list === undefined || isEmpty(list)) return false;
  return !isSeq(list) || list.anchor !== undefined;
}

function addKey(document: Document, key: string): void {
  if (isSeq(document.get("ssh_authorized_keys", true))) document.addIn(["ssh_authorized_keys"], key);
  else document.set("ssh_authorized_keys", document.createNode([key]));
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null;
}

/**
 * Whether unparsed text sets the key, as far as that is visible. What a script or a template fetches is known only on
 * the machine.
 */
function setsHostKeys(kind: string, own: string): boolean {
  if (!["mime", "text/jinja2", "text/cloud-config-archive"].includes(kind)) return false;
  const encoded = own.match(/^(?:[A-Za-z0-9+/]{4,}={0,2}\r?\n?)+$/gm) ?? [];
  const key = kind === "text/cloud-config-archive" ? /^\s*["']?ssh_keys["']?\s*:/m : /^["']?ssh_keys["']?\s*:/m;
  return [own, ...encoded.map((lines) => Buffer.from(lines, "base64").toString())].some((text) => key.test(text));
}

function twoHostKeys(): DriverError {
  return new DriverError(
    "user_data sets host keys (ssh_keys), but bootlevel injects its own: remove ssh_keys, " +
      "or write ssh: { host_keys: console } or ssh: { host_keys: accept-new } at the service",
  );
}

/** A part of a message. Text beyond ASCII is encoded, because cloud-init misreads it otherwise. */
function part(type: string, text: string, headers: readonly string[] = []): string {
  const isPlain = /^[\t\n\x20-\x7e]*$/.test(text) && text.split("\n").every((line) => line.length < 998);
  const body = isPlain
    ? text
    : (
        Buffer.from(text)
          .toString("base64")
          .match(/.{1,76}/g) ?? []
      ).join("\n");
  return [
    `Content-Type: ${type}; charset="utf-8"`,
    "MIME-Version: 1.0",
    `Content-Transfer-Encoding: ${isPlain ? "7bit" : "base64"}`,
    ...headers,
    "",
    body,
  ].join("\n");
}

/** The plan's own MIME message as a part of another one. cloud-init reads nested messages. */
function nested(own: string): string {
  return own.trimStart().replace(/^From .*\r?\n/, "");
}

function message(parts: readonly string[]): string {
  // Deterministic: a repeated call must be equal to the first one.
  const boundary = `===bootlevel-${createHash("sha256").update(parts.join()).digest("hex").slice(0, 32)}==`;
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "MIME-Version: 1.0",
    "",
    ...parts.flatMap((each) => [`--${boundary}`, each]),
    `--${boundary}--`,
    "",
  ].join("\n");
}

/** cloud-init also accepts gzip. */
function fitting(text: string): Buffer {
  const plain = Buffer.from(text);
  if (plain.length <= MOST_BYTES) return plain;
  const isKnown = kindOf(text) !== null;
  const packed = isKnown ? gzipSync(plain, { level: 9 }) : plain;
  if (packed.length <= MOST_BYTES) return packed;
  const sizes = `${plain.length} bytes${isKnown ? `, ${packed.length} when compressed` : ""}`;
  throw new DriverError(
    `user_data is too large: ${sizes}, but EC2 accepts ${MOST_BYTES}; fetch the rest in the boot program`,
  );
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
