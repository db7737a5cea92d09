/** What a running program asks of the launcher by `bl`, and what it is answered. */

export interface TalkRequest {
  readonly verb: "get" | "set" | "barrier" | "abort" | "say";
  /** NAME or SERVICE:NAME; "" for abort and say. */
  readonly name: string;
  /** The value of set, the text of abort and say. */
  readonly value: Buffer;
  /** Milliseconds; null for ever. */
  readonly timeoutMs: number | null;
  readonly wait: boolean;
  readonly ignoreAbort: boolean;
  readonly parties: number | null;
}

export interface TalkReply {
  /** The exit code of `bl`. */
  readonly code: 0 | 1 | 2 | 7 | 8 | 9 | 10;
  readonly value?: Buffer;
  /** For standard error. */
  readonly message?: string;
}

/** Answers one request; never rejects for a mistake of the program. `gone` is aborted when nobody waits for the answer any more. */
export type TalkHandler = (request: TalkRequest, gone: AbortSignal) => Promise<TalkReply>;
