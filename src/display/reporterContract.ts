/** What every reporter takes and does. */
import type { RunEvent } from "../model/events.js";
import type { ReporterMode } from "./mode.js";

export interface ReporterOptions {
  readonly mode: ReporterMode;
  /**
   * Where to show the events. A live reporter reads the stream's size anew for every frame, so a resized window is
   * redrawn.
   */
  readonly stream: NodeJS.WriteStream;
  readonly color: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Show what the programs print, too. */
  readonly verbose: boolean;
}

/** Shows a run to a person, event by event. */
export interface Reporter {
  onEvent(event: RunEvent): void;
  /**
   * Leaves the terminal in order: the last frame stays, the cursor is back, no timer is left. May be called more than
   * once.
   */
  close(): void;
}
