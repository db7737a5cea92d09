/** Decides which services need a terminate program or a report. */
import type { ServiceRecord } from "../../state/contract/records.js";

/**
 * Whether a service's programs may have left something on its machine that a terminate program or a report must handle:
 * its boot program was about to start, or, without one, its machine had let bootlevel in. A service that never came that
 * far holds no machine back.
 */
export function needsTearDown({ booted }: Pick<ServiceRecord, "booted">): boolean {
  return booted;
}
