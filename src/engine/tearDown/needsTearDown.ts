/** Decides which services need a terminate program or a report. */
import type { ServiceState } from "../../model/events.js";
import type { ServiceRecord } from "../../state/contract/records.js";
import type { Service } from "../run/service.js";

/**
 * In these states, a service without a boot program has nothing to clean up: it was never up on its machine, or it is
 * stopped.
 */
const UNTOUCHED: ReadonlySet<ServiceState> = new Set(["planned", "launching", "terminating"]);

/**
 * Whether a service's programs may have left something on its machine that a terminate program or a report must handle.
 */
export function needsTearDown({ spec }: Service, { booted, state }: ServiceRecord): boolean {
  return booted || (spec.boot === null && !UNTOUCHED.has(state));
}
