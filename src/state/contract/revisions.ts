/** The plan of a new run, and each changed plan that the run follows later. */
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { BundleRecord, Due, VariableRecord } from "./records.js";

export interface NewRun {
  /** Null: the name is `<plan>-<random>`. */
  readonly name: string | null;
  /** Must not contain secrets' defaults, because it is stored unchanged. */
  readonly plan: LaunchPlan;
  /** The bundles of the plan's programs (see `engine/programs/bundles.ts`), by `<service>.<step>`. */
  readonly bundles: Readonly<Record<string, BundleRecord>>;
  readonly variables: readonly VariableRecord[];
}

/** The new state of one service in a changed plan. `id` is null for a new service. */
export interface ServiceRevision {
  readonly id: number | null;
  readonly level: number;
  readonly spec: string;
  readonly name: string;
  readonly replica: number;
  /** The work that is due for it, or null. */
  readonly due: Due | null;
}

export interface NewRevision {
  readonly revision: number;
  /** Must not contain secrets' defaults, because it is stored unchanged. */
  readonly plan: LaunchPlan;
  readonly bundles: Readonly<Record<string, BundleRecord>>;
  readonly variables: readonly VariableRecord[];
  /** Every service of the changed plan. */
  readonly services: readonly ServiceRevision[];
  /** Numbers of the dropped services. They keep the revision that describes them until their machines are gone. */
  readonly dropped: readonly number[];
}
