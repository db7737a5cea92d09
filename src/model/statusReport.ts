/**
 * How a run is now, as data: `engine/status.ts` finds it out, `reporting/` and `commands/` show it. All text in it is
 * redacted already. `since` and `checkedAt` are milliseconds since the epoch, other times milliseconds.
 */
import type { RunState, ServiceState } from "./events.js";

/**
 * What was found when a service was looked at: its cloud gave no answer; the machine is gone, or stopped, or does not
 * answer, or refuses the launcher; the ready program failed.
 */
export type Cause = "silent" | "gone" | "stopped" | "unreachable" | "refused" | "not-ready";

/**
 * Why a service is not healthy: what was found, or that it never became ready, or that nothing was found but a repair
 * of it is due.
 */
export type Trouble = Cause | "not-up" | "repair-due";

export interface ServiceStatus {
  readonly service: string;
  readonly level: string;
  /** What the record says, and whether it holds now. */
  readonly state: ServiceState;
  readonly healthy: boolean;
  /** Null for a healthy service, and for no other. */
  readonly trouble: Trouble | null;
  /** Since when it is in that state, and how long that is. */
  readonly since: number;
  readonly ageMs: number;
  /** What the cloud says; "host" for a service on a host, "none" before there is a machine. */
  readonly machine: "pending" | "running" | "stopped" | "terminated" | "unknown" | "host" | "none";
  readonly host: string | null;
  readonly message: string;
  /** Of the ready program, or null when it did not run. */
  readonly exitCode: number | null;
  readonly ms: number | null;
  readonly lastLines: readonly string[];
  /** What its programs said last, or null. */
  readonly said: string | null;
}

export interface StatusReport {
  readonly run: string;
  readonly state: RunState;
  readonly healthy: boolean;
  /** The command of a living launcher that works on the run, such as `repair`; null when nobody does. */
  readonly workedOnBy: string | null;
  /** Why and by whom the run was aborted, or null. */
  readonly abort: { readonly reason: string; readonly origin: string; readonly at: number } | null;
  readonly checkedAt: number;
  readonly ms: number;
  readonly cloudUnreachable: boolean;
  readonly services: readonly ServiceStatus[];
}
