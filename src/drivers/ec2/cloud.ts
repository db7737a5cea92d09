/** A cloud's own keys, read. */
import type { AddressChoice } from "./machines.js";

export interface Ec2Cloud {
  readonly address: AddressChoice;
  /** How long the cloud may not show a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  /**
   * Whether the cloud answers a call whose token it knows with the machines of the first one; null if the plan does not
   * say.
   */
  readonly heedsTokens: boolean | null;
}

/** EC2 tells of a new machine with delay, seconds as a rule. */
const VISIBILITY_S = 120;

/** @param options the keys of a cloud as its schema allows them, references resolved. */
export function cloudOf(options: Readonly<Record<string, unknown>>): Ec2Cloud {
  // A reference gives text.
  const said = options["heeds_tokens"] as boolean | string | undefined;
  return {
    address: (options["address"] ?? null) as AddressChoice,
    visibilityMs: Number(options["visibility_seconds"] ?? VISIBILITY_S) * 1000,
    heedsTokens: said === undefined ? null : said === true || said === "true",
  };
}

/**
 * Whether a host is one of Amazon's own. It keeps its promise about tokens at all of them; others may not have made it.
 */
export function isAmazon(host: string): boolean {
  return /(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/.test(host);
}
