/**
 * Requests of the program `bl`, and replies. The channel identifies the sender, never the data that the machine sends.
 */

export interface BlRequest {
  readonly verb: "get" | "set" | "barrier" | "abort" | "say";
  /** NAME or SERVICE:NAME; "" for abort and say. */
  readonly name: string;
  /** set: the value; abort and say: the text. */
  readonly value: Buffer;
  /** Milliseconds; null: no limit. */
  readonly timeoutMs: number | null;
  readonly wait: boolean;
  readonly ignoreAbort: boolean;
  /** get: the value as JSON; of all replicas, a list. Absent: as it is. */
  readonly json?: boolean;
  readonly parties: number | null;
}

/** Exit codes of `bl`: done, not set, usage, unknown name, aborted, timed out, no launcher. */
export type BlExitCode = 0 | 1 | 2 | 7 | 8 | 9 | 10;

export interface BlReply {
  readonly code: BlExitCode;
  /** Printed by `bl get`. */
  readonly value?: Buffer;
  /** One line for standard error. */
  readonly message?: string;
}

/** One way of a request to the launcher. */
export interface Delivery {
  /** Of the request; the same for each time that it is sent. Unique among the requests of the program. */
  readonly id: string;
  /** Whether it was sent before, and no answer has arrived: it may have been handled. */
  readonly again: boolean;
}

/**
 * Answers one request. It never rejects for a mistake of the program. It enforces the time limit itself and replies 9.
 * @param gone aborted when nobody waits for the reply any more.
 */
export type BlHandler = (request: BlRequest, gone: AbortSignal, delivery: Delivery) => Promise<BlReply>;

/** Maximum size of a value or text in bytes. */
export const MESSAGE_LIMIT = 16_777_216;
