/**
 * Requests to the holder of a run's lease, from an operator, another launcher or a supervisor. Recording a request
 * needs no lease. The holder reads it from the record, acts on it and answers it.
 */

/**
 * "abort": ends running programs and prevents new work, for this holder and all later ones, until the request is
 * withdrawn. "stand-aside": the present holder releases the run, as after one Ctrl-C.
 */
export type RequestKind = "abort" | "stand-aside";

/** Requests of these kinds are only for the present holder. A later holder must ignore them. */
export const FOR_PRESENT_HOLDER: ReadonlySet<string> = new Set<RequestKind>(["stand-aside"]);

export interface NewRequest {
  readonly kind: RequestKind;
  readonly data: { readonly reason: string };
  /** The origin: a service's name, `operator`, or another sender. */
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * "accepted": received, and will be carried out. "not-supported": the holder does not know this kind of request.
 * "too-late": the holder that it was for is gone.
 */
export interface RequestAnswer {
  readonly status: "accepted" | "not-supported" | "too-late";
  /** For people. */
  readonly message: string;
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
