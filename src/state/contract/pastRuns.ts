/** How long things took in earlier runs of a plan: what forecasts are made of. */
/** One service (a replica) of an earlier run. Times are in milliseconds; null: it did not come so far. */
export interface PastService {
  /** Its name in the plan, the same for all replicas. */
  readonly spec: string;
  /** From the wish for its machine until the machine had an address. */
  readonly launchMs: number | null;
  /** Until it was ready, from when its level had begun and its machine was there. */
  readonly workMs: number | null;
}

/** The first command of an earlier run, its boot. */
export interface PastRun {
  readonly cameUp: boolean;
  readonly services: readonly PastService[];
}

/** Which plan: its name, and the file that it was read from. */
export interface PlanIdentity {
  readonly name: string;
  readonly file: string;
}
