/** Reads a cloud's own keys. */
import type { AddressChoice } from "./machines.js";

export interface Ec2Cloud {
  readonly address: AddressChoice;
  /** How long the cloud may hide a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  /**
   * Whether the cloud is idempotent: it answers a call with a known token with the machines of the first call. Null if
   * the plan does not say.
   */
  readonly heedsTokens: boolean | null;
}

/** EC2 shows a new machine with a delay, usually of seconds. */
const VISIBILITY_S = 120;

/** @param options a cloud's keys, validated by its schema, references resolved. */
export function cloudOf(options: Readonly<Record<string, unknown>>): Ec2Cloud {
  // A reference resolves to text.
  const said = options["heeds_tokens"] as boolean | string | undefined;
  return {
    address: (options["address"] ?? null) as AddressChoice,
    visibilityMs: Number(options["visibility_seconds"] ?? VISIBILITY_S) * 1000,
    heedsTokens: said === undefined ? null : said === true || said === "true",
  };
}

/** Whether a host is one of Amazon's. All of Amazon's hosts are idempotent; others may not be. */
export function isAmazon(host: string): boolean {
  return /(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/.test(host);
}
