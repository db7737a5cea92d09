/**
 * Encrypts secrets at rest: AES-256-GCM with a fresh nonce for each value. Each value is bound to its place, so that it
 * cannot be moved to another one.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { chmodSync, readFileSync, statSync } from "node:fs";

import { dirname } from "node:path";

import { storageWords } from "../../files/storageFailure.js";
import type { Home } from "../files/home.js";
import type { Environment } from "../../model/environment.js";
import { writeOnce } from "../../files/privateFile.js";
import { StateError } from "../contract/errors.js";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export interface Cipher {
  /** Returns nonce | tag | ciphertext. `place` (run, kind, name) must be the same for `open`. */
  seal(value: string, place: string): Buffer;
  /** @throws StateError if the value was encrypted with another key, or was modified. */
  open(sealed: Buffer, place: string): string;
  /**
   * A keyed hash, in hexadecimal: equal for equal values of a place. Without the key, a value cannot be guessed from it.
   */
  fingerprint(value: string, place: string): string;
}

/**
 * A cipher whose key is `BOOTLEVEL_KEY` in `env` (32 bytes in base64 or hex), or else the 0600 file beside the
 * database. The file is created at the first use. The key is read only when a value is encrypted or decrypted.
 */
export function createCipher(home: Home, env: Environment): Cipher {
  let key: Buffer | undefined;
  const theKey = (make: boolean) => (key ??= readKey(home, env, make));
  return {
    seal(value, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", theKey(true), nonce).setAAD(Buffer.from(place));
      const text = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, place) {
      const opened = theKey(false);
      try {
        const nonce = sealed.subarray(0, NONCE_BYTES);
        const decipher = createDecipheriv("aes-256-gcm", opened, nonce).setAAD(Buffer.from(place));
        decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString(
          "utf8",
        );
      } catch (error) {
        throw new StateError(
          `a secret (${place}) cannot be decrypted: it was encrypted with another key`,
          `set BOOTLEVEL_KEY to the original key, or restore ${home.keyFile}`,
          { cause: error },
        );
      }
    },
    fingerprint(value, place) {
      // A key of its own, so that the key of the encryption is used for one purpose only.
      const own = createHmac("sha256", theKey(true)).update("bootlevel fingerprint").digest();
      return createHmac("sha256", own)
        .update(JSON.stringify([place, value]))
        .digest("hex");
    },
  };
}

function readKey(home: Home, env: NodeJS.ProcessEnv, make: boolean): Buffer {
  const given = env["BOOTLEVEL_KEY"];
  if (given !== undefined) return parseKey(given, "BOOTLEVEL_KEY");
  const found = readKeyFile(home.keyFile) ?? (make ? makeKey(home.keyFile) : null);
  if (found === null)
    throw new StateError(
      `the database has encrypted secrets, but their key file ${home.keyFile} is missing`,
      "restore the file, or set BOOTLEVEL_KEY to the original key",
    );
  return parseKey(found, home.keyFile, KEY_FILE_REMEDY);
}

function makeKey(file: string): string {
  try {
    return writeOnce(file, randomBytes(KEY_BYTES).toString("base64"));
  } catch (cause) {
    const { message, remedy } = storageWords("write", file, dirname(file), cause);
    throw new StateError(message, remedy, { cause });
  }
}

function readKeyFile(file: string): string | null {
  try {
    const text = readFileSync(file, "utf8");
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
    return text.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    const { remedy } = storageWords("read", file, file, error);
    throw new StateError(
      `cannot read the key file ${file}: ${(error as Error).message}`,
      `${remedy}; or set BOOTLEVEL_KEY to its key`,
      { cause: error },
    );
  }
}

/** A new key would not decrypt what an earlier one has encrypted. */
const KEY_FILE_REMEDY =
  "restore the file from a copy, or set BOOTLEVEL_KEY to the original key; if no run has secrets, remove the file: a new " +
  "one is made";

function parseKey(
  text: string,
  source: string,
  remedy = "if no run has secrets yet, make one with: openssl rand -base64 32. Otherwise set it to the original key",
): Buffer {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if (key.length === KEY_BYTES) return key;
  throw new StateError(
    text === "" ? `${source} is empty: there is no key in it` : `the key in ${source} is not 32 bytes in base64 or hex`,
    remedy,
  );
}
