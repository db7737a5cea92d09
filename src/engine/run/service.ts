/** The services of a run, as the engine handles them. */
import { type LevelSpec, type ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import type { PlanRecord } from "../../state/contract/records.js";

/** One replica of a service: what the engine moves from state to state. */
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

/** A service that the plan has no more. */
export interface DroppedService extends Service {
  /** Whether a service that the plan still has referred to it: it goes when that one has been told to do without. */
  readonly needed: boolean;
}
