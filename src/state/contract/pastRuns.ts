/** Durations from earlier runs of a plan. Forecasts use them. */
/** One service (a replica) of an earlier run. Times are in milliseconds. Null: it did not get that far. */
export interface PastService {
  /** Its name in the plan, which all its replicas share. */
  readonly spec: string;
  /** From its launch request until the machine had an address. */
  readonly launchMs: number | null;
  /** From the time when its level had begun and its machine existed, until it was ready. */
  readonly workMs: number | null;
}

/** The first command of an earlier run, its boot. */
export interface PastRun {
  readonly cameUp: boolean;
  readonly services: readonly PastService[];
}

/** Identifies a plan: its name, and the file that it was read from. */
export interface PlanIdentity {
  readonly name: string;
  readonly file: string;
}
