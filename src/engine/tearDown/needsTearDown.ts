/** Which services have something to take down, or to report. */
import type { ServiceState } from "../../model/events.js";
import type { ServiceRecord } from "../../state/contract/records.js";
import type { Service } from "../run/service.js";

/**
 * States in which a service without a boot program leaves nothing to a terminate program: it never was up on its
 * machine, or it is stopped.
 */
const UNTOUCHED: ReadonlySet<ServiceState> = new Set(["planned", "launching", "terminating"]);

/** Whether a service's programs may have left something on its machine, for a terminate program or a report. */
export function needsTearDown({ spec }: Service, { booted, state }: ServiceRecord): boolean {
  return booted || (spec.boot === null && !UNTOUCHED.has(state));
}
