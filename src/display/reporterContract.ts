/** The contract of reporters. */
import type { RunEvent } from "../model/events.js";
import type { ReporterMode } from "./mode.js";

export interface ReporterOptions {
  readonly mode: ReporterMode;
  /**
   * Where to show the events. A live reporter reads the size of the stream for every frame, so resizing works.
   */
  readonly stream: NodeJS.WriteStream;
  readonly color: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether to show the output of programs. */
  readonly verbose: boolean;
}

/** Shows a run to a person, event by event. */
export interface Reporter {
  onEvent(event: RunEvent): void;
  /**
   * Restores the terminal: the last frame stays, the cursor is visible, no timer is left. Idempotent.
   */
  close(): void;
}
