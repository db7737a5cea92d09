/** The interface through which the holder of a run's lease writes to its record. */
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
  /** Hash of what a setup step makes of its machine. */
  readonly content?: string;
  /**
   * The program's directory on the machine is this prefix followed by the step's number. Null for a step without a
   * program.
   */
  readonly directoryPrefix: string | null;
  readonly event: RunEvent;
}

/**
 * A run whose lease is held. Every write is atomic and first verifies the lease: a launcher that lost it cannot write.
 * Writes take effect in the order of the calls. Writes of one turn of the event loop share a commit.
 */
export interface RunWriter {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  /** The fencing number of this holder. Each new holder gets a higher one. */
  readonly fence: number;
  /**
   * Renews the lease (heartbeat).
   * @throws LeaseLostError
   */
  renew(): Promise<void>;
  /** Executes waiting writes, and releases the run. */
  release(): Promise<void>;
  /**
   * Verifies that this launcher still holds the lease. Must be awaited right before every call to a cloud.
   * @throws LeaseLostError
   */
  prove(): Promise<void>;
  /**
   * Writes changes atomically. Resolves when they are on disk.
   * @throws LeaseLostError, StateError
   */
  write(...changes: readonly Change[]): Promise<void>;
  /** Registers a write that is not awaited. If it fails, the next write fails. */
  expect(write: Promise<unknown>): void;
  /**
   * Records that a step begins, so that its program can be found even if the launcher dies. A service whose boot
   * program is about to start counts as booted: from now on its terminate program has work to do.
   * @returns the step's number, unique in the record.
   */
  beginStep(step: NewStep): Promise<number>;
  /** Stores a changed plan and the new state of each service. */
  storeRevision(revision: NewRevision): Promise<void>;
}
