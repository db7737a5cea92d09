/** The services of a run, as the engine uses them. */
import { type LevelSpec, type ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import type { PlanRecord } from "../../state/contract/records.js";

/** One replica of a service: the unit that the engine moves from state to state. */
export interface Service {
  /** Its number in the database. */
  readonly id: number;
  readonly name: string;
  readonly replica: number;
  readonly spec: ServiceSpec;
  readonly level: LevelSpec;
  /** The programs of the plan that describes it, by `<service>.<step>`. */
  readonly bundles: PlanRecord["bundles"];
}

/** A service that is no longer in the plan. */
export interface DroppedService extends Service {
  /**
   * Whether a service that is still in the plan referred to it: then it is removed only after that service no longer
   * uses it.
   */
  readonly needed: boolean;
}
