/**
 * What a run cost in time, as data: `engine/analysis/` makes it from the run's events, `reporting/` draws it. All
 * durations (`ms`, `…Ms`) are milliseconds and never negative; all moments (`startMs`, `endMs`) are milliseconds since
 * the section's first event.
 */
import type { RunState, ServiceState, StepName } from "./events.js";

/** What one command did to a run: a boot, a terminate, … */
export interface RunSection {
  /** Its place among the run's sections, from 1. */
  readonly number: number;
  /** The command: `boot`, `terminate`, … */
  readonly verb: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Up to its last event. */
  readonly ms: number;
  /** The run's state at its end; null when it has not ended: its launcher still works, or died. */
  readonly result: RunState | null;
  /** Whether a launcher still works on it. */
  readonly running: boolean;
}

/** One try of one step of a service. */
export interface StepTiming {
  readonly service: string;
  readonly level: string;
  readonly step: StepName;
  /** From 1. */
  readonly attempt: number;
  readonly startMs: number;
  readonly ms: number;
  /** How much of `ms` went by before the program could start, because `concurrency` others ran. */
  readonly waitedMs: number;
  /** As in the event of its end; null when it has not ended. */
  readonly outcome: string | null;
  readonly exitCode: number | null;
  /** Whether it ended badly. A try of a ready program that failed is one, also when a later one passed. */
  readonly failed: boolean;
}

export interface ServiceTiming {
  readonly name: string;
  /** Its last one in this section. */
  readonly state: ServiceState;
  /** Why it failed, or null. */
  readonly failure: string | null;
  readonly startMs: number;
  readonly endMs: number;
  /** In the order in which they began. */
  readonly steps: readonly StepTiming[];
}

/** A level, each time that the section worked on it. */
export interface LevelTiming {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** The service that finished last: the level took as long as this one. Null for a level without services. */
  readonly last: string | null;
  /** Those that something happened to, in the plan's order. */
  readonly services: readonly ServiceTiming[];
}

/** What time went by with: a step, or one of the waits between steps. */
export type PartKind =
  | StepName
  /** For a program to end, so that this one could start: `concurrency`. */
  | "place"
  /** Between two tries of a ready program. */
  | "pause"
  /** Everything else: writing down, telling, starting. */
  | "bootlevel";

/** A stretch of the critical path. */
export interface ChainPart {
  /** Null between two levels. */
  readonly level: string | null;
  readonly service: string | null;
  readonly kind: PartKind;
  /** Which try of the step; null for a wait. */
  readonly attempt: number | null;
  readonly startMs: number;
  readonly ms: number;
  /** Of `wallMs`, from 0 to 1. */
  readonly share: number;
}

export interface SectionAnalysis extends RunSection {
  /**
   * From the section's first event to its end, as the launcher measured it; up to its last event if it has not ended.
   */
  readonly wallMs: number;
  /** The sum of the chain's parts. */
  readonly chainMs: number;
  /** Whether the launcher's clock was set meanwhile: what lies around that moment is estimated then. */
  readonly clockSet: boolean;
  /** The longest steps, longest first. */
  readonly blame: readonly StepTiming[];
  /** What the section's time went by with, without gaps: in each level, the parts of the service that finished last. */
  readonly chain: readonly ChainPart[];
  /** In the order in which they began. */
  readonly levels: readonly LevelTiming[];
}

export interface RunAnalysis {
  readonly run: string;
  /** Oldest first. */
  readonly sections: readonly RunSection[];
  /** The section that was looked at; null when the run has none but terminations, or none at all. */
  readonly section: SectionAnalysis | null;
}
