/** One connection a machine, kept for all its steps and made again when it breaks. */
import type { MachineConnection } from "./connection.js";

export interface MachineLink {
  /**
   * A live connection: the one there is, or a new one. Rejects with `ConnectionError` when the machine cannot be
   * reached in its time limit.
   */
  connection(): Promise<MachineConnection>;
  /** Hands over work that nobody waits for, such as removing a directory; `close` waits for it. It must not reject. */
  finishLater(work: Promise<void>): void;
}

export interface ClosableLink extends MachineLink {
  /** Resolves when the work handed over so far is done. */
  idle(): Promise<void>;
  /** Waits for the work handed over, then closes the connection for good. */
  close(): Promise<void>;
}
