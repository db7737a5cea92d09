/** What a run is to follow: the plan of a new run, and each changed plan after it. */
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { BundleRecord, Due, VariableRecord } from "./records.js";

export interface NewRun {
  /** Null for `<plan>-<random>`. */
  readonly name: string | null;
  /** Without secrets' defaults: it is stored as it is. */
  readonly plan: LaunchPlan;
  /** What `engine/programs/bundles.ts` made of the plan's programs, by `<service>.<step>`. */
  readonly bundles: Readonly<Record<string, BundleRecord>>;
  readonly variables: readonly VariableRecord[];
}

/** What a changed plan makes of one service. `id` is null for one that is new. */
export interface ServiceRevision {
  readonly id: number | null;
  readonly level: number;
  readonly spec: string;
  readonly name: string;
  readonly replica: number;
  /** What is to be done for it, or null for nothing. */
  readonly due: Due | null;
}

export interface NewRevision {
  readonly revision: number;
  /** Without secrets' defaults: it is stored as it is. */
  readonly plan: LaunchPlan;
  readonly bundles: Readonly<Record<string, BundleRecord>>;
  readonly variables: readonly VariableRecord[];
  /** Every service of the changed plan. */
  readonly services: readonly ServiceRevision[];
  /**
   * Numbers of the services that it has dropped. They keep the revision that describes them until their machines are
   * gone.
   */
  readonly dropped: readonly number[];
}
