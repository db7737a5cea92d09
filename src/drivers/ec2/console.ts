/** Reads host keys from a machine's console, where cloud-init and Amazon's images print them after generating them. */
import { createHash } from "node:crypto";

import type { Ec2Calls } from "./calls.js";
import { isNotFound, isRefusedError } from "./errors.js";

/** The first and last lines of a block. Text outside of a block is not trusted. */
const FINGERPRINTS = "SSH HOST KEY FINGERPRINTS";
const KEYS = "SSH HOST KEY KEYS";
/** Errors of EC2 and compatible clouds that mean: the machine's current console cannot be read. */
const NOT_LATEST = new Set([
  "UnsupportedOperation",
  "Unsupported",
  "UnknownParameter",
  "InvalidParameterCombination",
  "InvalidParameterValue",
]);
const SHA256 = /(?:^|\s)(SHA256:[A-Za-z0-9+/]{43})=?(?=\s|$)/;
const KEY = /(?:^|\s)((?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})(?=\s|$)/;

/** Like `Driver.hostKeyFingerprints`. */
export async function printedFingerprints(
  id: string,
  calls: Ec2Calls,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  try {
    return fingerprintsIn(await consoleOf(id, calls, signal));
  } catch (error) {
    if (isNotFound(error)) return null; // too young to be shown
    throw error;
  }
}

async function consoleOf(id: string, calls: Ec2Calls, signal: AbortSignal): Promise<string> {
  try {
    return await calls.console(id, true, signal);
  } catch (error) {
    if (!isRefusedError(error) || !NOT_LATEST.has(error.refusal)) throw error;
    return calls.console(id, false, signal);
  }
}

/**
 * Fingerprints (`SHA256:…`) of a machine's host keys in its console output, without duplicates. Lines may have a
 * prefix, such as the kernel's time. The console may cover several boots: the last complete block of each kind counts.
 * MD5 fingerprints are ignored.
 * @returns null if there is no complete block yet.
 */
export function fingerprintsIn(console: string): string[] | null {
  const lines = console
    .replaceAll("\r", "\n")
    .split("\n")
    .map((line) => line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ""));
  const printed = lastBlock(lines, FINGERPRINTS).flatMap((line) => SHA256.exec(line)?.[1] ?? []);
  const computed = lastBlock(lines, KEYS).flatMap((line) => fingerprintOf(line) ?? []);
  const all = [...new Set([...printed, ...computed])];
  return all.length === 0 ? null : all;
}

/** The lines of the last complete block. */
function lastBlock(lines: readonly string[], title: string): readonly string[] {
  let begin = -1;
  let block: readonly string[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.includes(`-----BEGIN ${title}-----`)) begin = index + 1;
    else if (line.includes(`-----END ${title}-----`) && begin !== -1) {
      block = lines.slice(begin, index);
      begin = -1;
    }
  }
  return block;
}

/**
 * The fingerprint of a public key in a line. Null if the bytes do not begin with the key's type, such as in a truncated
 * line.
 */
function fingerprintOf(line: string): string | null {
  const [, type = "", blob = ""] = KEY.exec(line) ?? [];
  const bytes = Buffer.from(blob, "base64");
  if (
    type === "" ||
    bytes.length < 4 + type.length ||
    bytes.readUInt32BE(0) !== type.length ||
    bytes.toString("latin1", 4, 4 + type.length) !== type
  )
    return null;
  return `SHA256:${createHash("sha256").update(bytes).digest("base64").replace(/=+$/, "")}`;
}
