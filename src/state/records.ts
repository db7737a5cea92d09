/** What the database tells, as plain data. Times are milliseconds since the epoch. */
import type { RunState, ServiceFailure, ServiceState, StepName } from "../events.js";
import type { LeaseHolder } from "./leases.js";

export interface RunRecord {
  readonly id: number;
  readonly uid: string;
  readonly name: string;
  readonly planName: string;
  readonly planFile: string;
  readonly state: RunState;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly holder: LeaseHolder | null;
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
  readonly generation: number;
  /** Whether its boot program was ever started, so that its terminate program has something to do. */
  readonly booted: boolean;
  readonly updatedAt: number;
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
  readonly value: string;
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
  readonly directory: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly outcome: string | null;
  readonly exitCode: number | null;
}

/** A program with all that travels beside it, as one tar file that is named after its content. */
export interface BundleRecord {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  /** The program's path in it, or null for a shell line. */
  readonly entry: string | null;
}
