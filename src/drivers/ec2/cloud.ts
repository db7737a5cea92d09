/** A cloud's own keys, read. */
import type { AddressChoice } from "./machines.js";

export interface Ec2Cloud {
  readonly address: AddressChoice;
  /** How long the cloud may not show a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  /** Whether the cloud answers a call whose token it knows with the machines of the first one. */
  readonly heedsTokens: boolean;
}

/** EC2 tells of a new machine with delay, seconds as a rule. */
const VISIBILITY_S = 120;

/** @param options the keys of a cloud as its schema allows them, references resolved. */
export function cloudOf(options: Readonly<Record<string, unknown>>): Ec2Cloud {
  const endpoint = options["endpoint"] as string | undefined;
  return {
    address: (options["address"] ?? null) as AddressChoice,
    visibilityMs: Number(options["visibility_seconds"] ?? VISIBILITY_S) * 1000,
    heedsTokens: heedsTokens(options["heeds_tokens"] as boolean | string | undefined, endpoint),
  };
}

/** Amazon keeps its promise about tokens at every address of its own; others may not have made it. A reference gives text. */
function heedsTokens(said: boolean | string | undefined, endpoint: string | undefined): boolean {
  return said === undefined ? isAmazon(endpoint) : said === true || said === "true";
}

/** Whether an endpoint is one of Amazon's own, as it is when none is given. */
export function isAmazon(endpoint: string | undefined): boolean {
  return endpoint === undefined || (URL.canParse(endpoint) && /(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/.test(new URL(endpoint).hostname));
}
