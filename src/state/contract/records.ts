/** What the database tells, as plain data. Times are milliseconds since the epoch. */
import type { RunState, ServiceFailure, ServiceState, StepName } from "../../model/events.js";
import type { BundleContent } from "./files.js";
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";

export interface RunRecord {
  readonly id: number;
  readonly uid: string;
  readonly name: string;
  readonly planName: string;
  readonly planFile: string;
  readonly state: RunState;
  /** What the last command that changed the run was to make of it. */
  readonly goal: "up" | "down";
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly holder: LeaseHolder | null;
  /** Why the run was aborted, or null. */
  readonly abort: Abort | null;
}

/** Somebody wants everything that goes on in a run to end. */
export interface Abort {
  readonly reason: string;
  /** A service's name, `operator`, or what else it was. */
  readonly origin: string;
  readonly at: number;
}

/** A line of `list`. */
export interface RunSummary extends RunRecord {
  readonly services: number;
  readonly ready: number;
}

export interface ServiceRecord {
  readonly id: number;
  readonly level: number;
  /** The name in the plan, and that of this replica. */
  readonly spec: string;
  readonly name: string;
  readonly replica: number;
  readonly state: ServiceState;
  readonly failure: ServiceFailure | null;
  /** Which revision of the run's plan describes it. */
  readonly revision: number;
  /** What is to be done again for it, and why; null when nothing is. */
  readonly due: Due | null;
  /** Whether its boot program was ever started, so that its terminate program has something to do. */
  readonly booted: boolean;
  /** What its programs said last by `bl say`, or null. */
  readonly said: string | null;
  readonly updatedAt: number;
}

/** The stage from which a service's story is to be told again; "remove": no plan has it any more. */
export type DueStage = "discard" | "replace" | "boot" | "verify" | "execute" | "remove";

export interface Due {
  readonly stage: DueStage;
  readonly reason: string;
}

export interface MachineRecord {
  readonly id: number;
  readonly serviceId: number;
  readonly cloud: string;
  readonly key: string;
  readonly generation: number;
  /** "intended" before the driver has answered: a machine may exist or not. */
  readonly state: "intended" | "running" | "ended";
  readonly driverId: string | null;
  readonly host: string | null;
  readonly privateHost: string | null;
  readonly hostname: string | null;
  /** The driver's `MachineAccess`, as JSON. */
  readonly access: string | null;
  readonly requestedAt: number;
  readonly launchedAt: number | null;
  readonly endedAt: number | null;
  readonly endReason: string | null;
}

export interface AttributeRecord {
  readonly serviceId: number;
  readonly name: string;
  readonly kind: "builtin" | "declared" | "output";
  readonly secret: boolean;
  /** Bytes that are no UTF-8 as in `byteText.ts`. */
  readonly value: string;
  /** An output of an earlier boot: the service is booting again, and has not set it yet. */
  readonly stale?: boolean;
}

export interface VariableRecord {
  readonly kind: "variable" | "environment";
  readonly name: string;
  readonly secret: boolean;
  readonly value: string;
}

export interface EventRecord {
  readonly id: number;
  readonly at: number;
  readonly type: string;
  readonly service: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StepRecord {
  readonly id: number;
  readonly serviceId: number;
  readonly step: StepName;
  readonly attempt: number;
  /** The key of the machine that it was for, or null for a service that has none of its own. */
  readonly machineKey: string | null;
  readonly directory: string | null;
  /** What a setup step makes of its machine, hashed; null for other steps. */
  readonly content: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly outcome: string | null;
  readonly exitCode: number | null;
}

/** One revision of what a run follows. */
export interface PlanRecord {
  readonly revision: number;
  readonly plan: LaunchPlan;
  /** By `<service>.<step>`. */
  readonly bundles: Readonly<Record<string, BundleRecord>>;
}

/** A program with all that travels beside it, as one tar file that is named after its content. */
export interface BundleRecord extends BundleContent {
  /** The program's path in it, or null for a shell line. */
  readonly entry: string | null;
}

export interface LeaseHolder {
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  readonly since: number;
  /** False when the holder's process is gone, or silent for `LEASE_SILENCE_MS`. */
  readonly alive: boolean;
}
