/** The content of the record as plain data. Times are milliseconds since the epoch. */
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
  /** The target of the last command that changed the run. */
  readonly goal: "up" | "down";
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly holder: LeaseHolder | null;
  /** The abort in force, or null. */
  readonly abort: Abort | null;
}

/** A demand to end everything in a run. */
export interface Abort {
  readonly reason: string;
  /** A service's name, `operator`, or another sender. */
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
  /** The service's name in the plan, and the replica's name. */
  readonly spec: string;
  readonly name: string;
  readonly replica: number;
  readonly state: ServiceState;
  readonly failure: ServiceFailure | null;
  /** The revision of the run's plan that describes it. */
  readonly revision: number;
  /** The work that is due for it and the reason, or null. */
  readonly due: Due | null;
  /** Whether its boot program was ever started, so that its terminate program has work to do. */
  readonly booted: boolean;
  /** The latest message of its programs (`bl say`), or null. */
  readonly said: string | null;
  readonly updatedAt: number;
}

/** The stage at which work on a service begins again. "remove": it is in no plan any more. */
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
  /** "intended" until the driver has answered: the machine may or may not exist. */
  readonly state: "intended" | "running" | "ended";
  readonly driverId: string | null;
  readonly host: string | null;
  readonly privateHost: string | null;
  readonly hostname: string | null;
  /** The driver's `MachineAccess`, as JSON. */
  readonly access: string | null;
  readonly requestedAt: number;
  readonly launchedAt: number | null;
  /** When a launcher was first connected to it; null: it may still boot. */
  readonly metAt: number | null;
  readonly endedAt: number | null;
  readonly endReason: string | null;
}

/** A value that a service provides to others. */
export interface AttributeValue {
  readonly serviceId: number;
  readonly name: string;
  readonly kind: "builtin" | "declared" | "output";
  readonly secret: boolean;
  /** Bytes that are not UTF-8 are encoded as in `src/text/surrogateEscape.ts`. */
  readonly value: string;
  /** The step whose program set an output; null for other attributes, and for outputs that no program set. */
  readonly step?: StepName | null;
}

/** An attribute as recorded. */
export interface AttributeRecord extends AttributeValue {
  /** An output of an earlier boot or execution: the program runs again and has not set it yet. */
  readonly stale: boolean;
}

export interface VariableRecord {
  readonly kind: "variable" | "environment";
  readonly name: string;
  readonly secret: boolean;
  readonly value: string;
  /** Whether the value is the plan's default. The stored plan has no defaults of secrets to compare with. */
  readonly isDefault?: boolean;
}

export interface EventRecord {
  readonly id: number;
  readonly at: number;
  readonly type: string;
  readonly service: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A lost connection to a machine. */
export interface OutageRecord {
  /** Its name in messages: `admin@10.0.0.4:22`. */
  readonly machine: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string;
}

export interface StepRecord {
  readonly id: number;
  readonly serviceId: number;
  readonly step: StepName;
  readonly attempt: number;
  /** The key of the service's machine at that time. Null for a service without a machine of its own. */
  readonly machineKey: string | null;
  readonly directory: string | null;
  /** Hash of what a setup step makes of its machine. Null for other steps. */
  readonly content: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly outcome: string | null;
  readonly exitCode: number | null;
}

/** One revision of the plan that a run follows. */
export interface PlanRecord {
  readonly revision: number;
  readonly plan: LaunchPlan;
  /** By `<service>.<step>`. */
  readonly bundles: Readonly<Record<string, BundleRecord>>;
}

/** A program and all its files, as one tar file. It is named after the hash of its content. */
export interface BundleRecord extends BundleContent {
  /** The program's path in it, or null for a shell line. */
  readonly entry: string | null;
}

export interface LeaseHolder {
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  readonly since: number;
  /** False if the holder's process is gone, or silent for `LEASE_SILENCE_MS`. */
  readonly alive: boolean;
}
