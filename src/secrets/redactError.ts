/** Removes secrets from an error that leaves the library: from its words, its causes and its data. */
import type { Redactor } from "./redactor.js";

/**
 * Redacts an error in place, so that it stays the same error to whoever recognises it.
 * @returns the error
 */
export function redactError(error: unknown, redactor: Pick<Redactor, "redactData">): unknown {
  redactProperties(error, redactor, new Set());
  return error;
}

function redactProperties(error: unknown, redactor: Pick<Redactor, "redactData">, seen: Set<unknown>): void {
  if (!(error instanceof Error) || seen.has(error)) return;
  seen.add(error);
  for (const name of Object.getOwnPropertyNames(error)) {
    const descriptor = Object.getOwnPropertyDescriptor(error, name);
    const value: unknown = (error as unknown as Record<string, unknown>)[name];
    if (value instanceof Error) redactProperties(value, redactor, seen);
    else if (Array.isArray(value) && value.some((one) => one instanceof Error))
      for (const one of value) redactProperties(one, redactor, seen);
    else if (isData(value) && descriptor?.configurable === true)
      Object.defineProperty(error, name, {
        // With its name: the kind of an error is no secret.
        value: redactor.redactData({ [name]: value })[name],
        enumerable: descriptor.enumerable ?? false,
        configurable: true,
        writable: true,
      });
  }
}

/** Text, lists and plain objects: other objects, such as a signal, are not data. */
function isData(value: unknown): boolean {
  if (typeof value === "string") return true;
  if (Array.isArray(value)) return value.every((one) => one === null || typeof one !== "object" || isData(one));
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every((one) => one === null || typeof one !== "object" || isData(one));
}
