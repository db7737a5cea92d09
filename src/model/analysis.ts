/**
 * The time that a run took, as data: `engine/analysis/` computes it from the run's events, `reporting/` draws it. All
 * durations (`ms`, `…Ms`) are milliseconds and never negative. All moments (`startMs`, `endMs`) are milliseconds since
 * the section's first event.
 */
import type { RunState, ServiceState, StepName } from "./events.js";

/** One command's work on a run: a boot, a terminate, … */
export interface RunSection {
  /** Its place among the run's sections, from 1. */
  readonly number: number;
  /** The command: `boot`, `terminate`, … */
  readonly verb: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Until its last event. */
  readonly ms: number;
  /** The run's state at its end. Null if it has not ended: its launcher still works, or died. */
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
  /** The part of `ms` that was spent waiting for one of the `concurrency` slots. */
  readonly waitedMs: number;
  /** The outcome in its end event. Null if it has not ended. */
  readonly outcome: string | null;
  readonly exitCode: number | null;
  /** Whether it failed. A failed try of a ready program counts, even if a later try passed. */
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
  /** In the order of their start. */
  readonly steps: readonly StepTiming[];
}

/** A level, once for each time that the section worked on it. */
export interface LevelTiming {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** The service that finished last and so determined the level's duration. Null for a level without services. */
  readonly last: string | null;
  /** Services with at least one event, in the plan's order. */
  readonly services: readonly ServiceTiming[];
}

/** The kind of a part: a step, or one of the waits between steps. */
export type PartKind =
  | StepName
  /** Waiting for a program to end, because of `concurrency`. */
  | "place"
  /** Waiting between two tries of a ready program. */
  | "pause"
  /** Everything else (recording, reporting, starting): launcher overhead. */
  | "bootlevel";

/** A part of the critical path. */
export interface ChainPart {
  /** Null between two levels. */
  readonly level: string | null;
  readonly service: string | null;
  readonly kind: PartKind;
  /** The number of the step's try. Null for a wait. */
  readonly attempt: number | null;
  readonly startMs: number;
  readonly ms: number;
  /** Share of `wallMs`, from 0 to 1. */
  readonly share: number;
}

export interface SectionAnalysis extends RunSection {
  /**
   * From the section's first event to its end, as the launcher measured it. Until its last event if it has not ended.
   */
  readonly wallMs: number;
  /** The sum of the chain's parts. */
  readonly chainMs: number;
  /** Whether the launcher's clock was set during the section. Times around that moment are then estimated. */
  readonly clockSet: boolean;
  /** The longest steps, longest first. */
  readonly blame: readonly StepTiming[];
  /** The critical path without gaps: in each level, the parts of the service that finished last. */
  readonly chain: readonly ChainPart[];
  /** In the order of their start. */
  readonly levels: readonly LevelTiming[];
}

export interface RunAnalysis {
  readonly run: string;
  /** Oldest first. */
  readonly sections: readonly RunSection[];
  /** The analysed section. Null if the run has no section, or only terminations. */
  readonly section: SectionAnalysis | null;
}
