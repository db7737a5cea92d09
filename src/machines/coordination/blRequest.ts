/**
 * What a program on a machine may ask its launcher by `bl`, and what it is answered. Who asks is known by the channel,
 * never by what the machine says.
 */

export interface BlRequest {
  readonly verb: "get" | "set" | "barrier" | "abort" | "say";
  /** NAME or SERVICE:NAME; "" for abort and say. */
  readonly name: string;
  /** set: the value; abort and say: the text. */
  readonly value: Buffer;
  /** Milliseconds; null: for ever. */
  readonly timeoutMs: number | null;
  readonly wait: boolean;
  readonly ignoreAbort: boolean;
  readonly parties: number | null;
}

/** What `bl` exits with: done, not set, usage, unknown name, aborted, timed out, no launcher. */
export type BlExitCode = 0 | 1 | 2 | 7 | 8 | 9 | 10;

export interface BlReply {
  readonly code: BlExitCode;
  /** What `bl get` prints. */
  readonly value?: Buffer;
  /** For people, on standard error; one line. */
  readonly message?: string;
}

/**
 * Answers one request; never rejects for a mistake of the program. Time limits are the handler's: it answers 9.
 * @param gone is aborted when nobody waits for the answer any more.
 */
export type BlHandler = (request: BlRequest, gone: AbortSignal) => Promise<BlReply>;

/** Bytes of a value or text. */
export const MESSAGE_LIMIT = 16_777_216;
