/**
 * Requests to the holder of a run's lease, from an operator, another launcher or a supervisor. Recording a request
 * needs no lease. The holder reads it from the record, acts on it and answers it.
 */

/**
 * "abort": ends running programs and prevents new work, for this holder and all later ones, until the request is
 * withdrawn. "stand-aside": the present holder releases the run, as after one Ctrl-C. "set-output": the present holder
 * sets an output to the payload. "say": the present holder shows the payload as a message of a service's program.
 */
export type RequestKind = "abort" | "stand-aside" | "set-output" | "say";

/** Requests of these kinds are only for the present holder. A later holder must ignore them. */
export const FOR_PRESENT_HOLDER: ReadonlySet<string> = new Set<RequestKind>(["stand-aside", "set-output", "say"]);

interface RequestHead {
  /** The origin: a service's name, `operator`, or another sender. */
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type NewRequest = RequestHead &
  (
    | { readonly kind: "abort" | "stand-aside"; readonly data: { readonly reason: string } }
    /** The payload may be a secret: it is recorded encrypted, and deleted with the answer. */
    | {
        readonly kind: "set-output";
        readonly data: { readonly service: string; readonly output: string };
        readonly payload: Buffer;
      }
    | { readonly kind: "say"; readonly data: { readonly service: string }; readonly payload: Buffer }
  );

/**
 * "accepted": received, and done or to be carried out. "refused": it asks for something wrong, as the message says.
 * "not-supported": the holder does not know this kind of request. "too-late": the holder that it was for is gone.
 */
export interface RequestAnswer {
  readonly status: "accepted" | "refused" | "not-supported" | "too-late";
  /** For people. */
  readonly message: string;
  /** What to do about it, for people. Absent if the message says it. */
  readonly remedy?: string;
}

/** A recorded request. It is open until it is answered or withdrawn. */
export interface RunRequest {
  readonly id: number;
  readonly runId: number;
  /** A `RequestKind`, or a kind that only another version knows. */
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly origin: string;
  readonly at: number;
  /** The fencing number of the holder that it is for. Null: for every holder. */
  readonly fence: number | null;
  readonly answeredAt: number | null;
  readonly answer: RequestAnswer | null;
  readonly withdrawnAt: number | null;
}
