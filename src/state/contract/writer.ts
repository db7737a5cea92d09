/** How the holder of a run's lease writes to its record. */
import type { RunEvent, StepName } from "../../model/events.js";
import type { Change } from "./changes.js";
import type { RunRecord } from "./records.js";
import type { NewRevision } from "./revisions.js";

/** A step that begins. */
export interface NewStep {
  readonly serviceId: number;
  readonly step: StepName;
  readonly attempt: number;
  readonly machineKey: string | null;
  /** What a setup step makes of its machine, hashed. */
  readonly content?: string;
  /**
   * Where its program will lie on the machine: this, followed by the step's number. Null for a step that runs no
   * program.
   */
  readonly directoryPrefix: string | null;
  readonly event: RunEvent;
}

/**
 * A run in hand. Every write is all of it or nothing, and first proves the lease: a launcher that lost it writes
 * nothing. Writes take effect in the order of the calls; those of one turn of the event loop are one commit.
 */
export interface RunWriter {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  /** The number of this holder: each one that takes the run gets a higher one. */
  readonly fence: number;
  /** Tells that the holder lives. @throws LeaseLostError */
  renew(): Promise<void>;
  /** Writes what is waiting, and gives the run back. */
  release(): Promise<void>;
  /**
   * Makes sure that the run is still this launcher's: awaited right before every call to a cloud. @throws
   * LeaseLostError
   */
  prove(): Promise<void>;
  /** Writes changes, all of them or none. Resolves when they are on disk. @throws LeaseLostError, StateError */
  write(...changes: readonly Change[]): Promise<void>;
  /** A write that nobody waits for: should it fail, the next one does. */
  expect(write: Promise<unknown>): void;
  /**
   * Writes down that a step begins, so that its program can be found again whatever happens to the launcher. A service
   * whose boot program is about to be started counts as booted: from now on its terminate program has something to do.
   * @returns the step's number, unique in the record.
   */
  beginStep(step: NewStep): Promise<number>;
  /** Stores a changed plan, and what it means for each service. */
  storeRevision(revision: NewRevision): Promise<void>;
}
