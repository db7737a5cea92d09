/**
 * Random choices of tests: which inputs, which faults, when to kill. They come from the seed of the test run
 * (BOOTLEVEL_TEST_SEED, drawn by jest.config.js if it is not set, printed at the end of the run), the suite's path and
 * the test's name: a test gets the same choices again with the same seed, alone or among others.
 */
import { createHash, createCipheriv } from "node:crypto";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

import { expect } from "@jest/globals";

const root = fileURLToPath(new URL("../..", import.meta.url));

const SEED = process.env["BOOTLEVEL_TEST_SEED"] ?? "";

interface Choices {
  bytes(count: number): Buffer;
}

/** An endless stream of bytes that depends on `origin` alone: the key stream of a cipher. */
export function choicesOf(origin: string): Choices {
  const key = createHash("sha256").update(origin).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  return { bytes: (count) => cipher.update(Buffer.alloc(count)) };
}

const made = new Map<string, Choices>();

/** Those of the test that runs. */
function choices(): Choices {
  if (SEED === "") throw new Error("BOOTLEVEL_TEST_SEED is empty: a random choice could not be repeated");
  const { testPath, currentTestName = "" } = expect.getState();
  const origin = JSON.stringify([SEED, relative(root, testPath ?? ""), currentTestName]);
  const own = made.get(origin) ?? choicesOf(origin);
  made.set(origin, own);
  return own;
}

/** From 0 to 1, without 1. */
export function random(): number {
  return choices().bytes(4).readUInt32LE() / 2 ** 32;
}

/** A whole number from 0 to `limit`, without `limit`. */
export function randomBelow(limit: number): number {
  return Math.floor(random() * limit);
}

export function randomBytes(count: number): Buffer {
  return choices().bytes(count);
}
