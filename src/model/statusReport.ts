/**
 * The present state of a run, as data: `engine/status.ts` determines it, `reporting/` and `commands/` show it. All text
 * is already redacted. `since` and `checkedAt` are milliseconds since the epoch; other times are durations in
 * milliseconds.
 */
import type { RunState, ServiceState } from "./events.js";

/**
 * The result of checking a service: its cloud did not answer; the machine is gone, stopped, unreachable, or refuses the
 * launcher; or the ready program failed.
 */
export type Cause = "silent" | "gone" | "stopped" | "unreachable" | "refused" | "not-ready";

/**
 * Why a service is not healthy: the result of the check; or it is not up yet; or its execute program runs or was
 * interrupted; or it failed; or it is being taken down or was; or the check found nothing but a repair is due.
 */
export type Trouble = Cause | "not-up" | "executing" | "failed" | "down" | "repair-due";

export interface ServiceStatus {
  readonly service: string;
  readonly level: string;
  /** The recorded state, and whether it still holds. */
  readonly state: ServiceState;
  readonly healthy: boolean;
  /** Null for a healthy service, and only for a healthy one. */
  readonly trouble: Trouble | null;
  /** When it entered that state, and for how long it has been in it. */
  readonly since: number;
  readonly ageMs: number;
  /** The machine's state according to the cloud. "host" for a service on a host, "none" if there is no machine yet. */
  readonly machine: "pending" | "running" | "stopped" | "terminated" | "unknown" | "host" | "none";
  readonly host: string | null;
  readonly message: string;
  /** For a failed service: the service that its failure followed from, or null. */
  readonly cause: string | null;
  /** The exit code of the ready program, or of the program that failed. Null if there is none. */
  readonly exitCode: number | null;
  readonly ms: number | null;
  readonly lastLines: readonly string[];
  /** The latest message of its programs, or null. */
  readonly said: string | null;
}

export interface StatusReport {
  readonly run: string;
  readonly state: RunState;
  readonly healthy: boolean;
  /** The command of a live launcher that works on the run, such as `repair`. Null if there is none. */
  readonly workedOnBy: string | null;
  /** The reason and origin of the run's abort, or null. */
  readonly abort: { readonly reason: string; readonly origin: string; readonly at: number } | null;
  readonly checkedAt: number;
  readonly ms: number;
  readonly cloudUnreachable: boolean;
  readonly services: readonly ServiceStatus[];
}
