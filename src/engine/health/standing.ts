/** What a service that is not ready is doing, for people: from its record alone. */
import type { ServiceState } from "../../model/events.js";
import type { Trouble } from "../../model/statusReport.js";
import type { ServiceRecord } from "../../state/contract/records.js";

export interface Standing {
  readonly trouble: Trouble;
  /** One sentence without a subject. */
  readonly message: string;
}

/**
 * @param record of a service in any state but "ready"
 * @param working whether a live launcher works on the run
 */
export function standingOf(
  { state, failure, due }: Pick<ServiceRecord, "state" | "failure" | "due">,
  working: boolean,
): Standing {
  switch (state) {
    case "failed":
      return { trouble: "failed", message: failure === null ? "failed" : failure.message };
    case "executing":
      return { trouble: "executing", message: working ? "its execute program runs" : interrupted(state) };
    case "terminating":
      return { trouble: "down", message: working ? "is being taken down" : "was interrupted while being taken down" };
    case "terminated":
      return { trouble: "down", message: "was taken down" };
    case "planned":
      return { trouble: "not-up", message: working ? "waits for its turn" : "was not started" };
    case "launching":
    case "connecting":
    case "booting":
    case "verifying":
      if (due !== null && !working) return { trouble: "not-up", message: `repair is due: ${due.reason}` };
      return { trouble: "not-up", message: working ? `is ${state}` : interrupted(state) };
    case "ready":
      return { trouble: "not-up", message: "is ready" };
  }
}

function interrupted(state: ServiceState): string {
  return `was interrupted while ${state}`;
}
