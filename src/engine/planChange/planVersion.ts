/** One version of a plan. */
import type { PlanRecord, VariableRecord } from "../../state/contract/records.js";

export interface PlanVersion extends Pick<PlanRecord, "plan" | "bundles"> {
  readonly variables: readonly VariableRecord[];
}
