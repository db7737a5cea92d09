/**
 * What is asked of whoever works on a run: by an operator, another launcher, a supervisor. A request is put into the
 * record without the run's lease; the holder of the lease hears it there, acts, and answers.
 */

/**
 * "abort": programs that run are ended and nothing new begins, for this holder and all later ones, until the request is
 * withdrawn. "stand-aside": the present holder lets the run go, as after one Ctrl-C.
 */
export type RequestKind = "abort" | "stand-aside";

/** Requests of these kinds are for the holder of the moment only: a later holder must not obey them. */
export const FOR_PRESENT_HOLDER: ReadonlySet<string> = new Set<RequestKind>(["stand-aside"]);

export interface NewRequest {
  readonly kind: RequestKind;
  readonly data: { readonly reason: string };
  /** Who asks: a service's name, `operator`, or what else it was. */
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * "accepted": heard, and it will be done; "not-supported": the holder does not know this kind of request; "too-late":
 * the holder that it was meant for is gone.
 */
export interface RequestAnswer {
  readonly status: "accepted" | "not-supported" | "too-late";
  /** For people. */
  readonly message: string;
}

/** A request as it is on record. Open while it has no answer and is not withdrawn. */
export interface RunRequest {
  readonly id: number;
  readonly runId: number;
  /** A `RequestKind`, or one that only another version knows. */
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly origin: string;
  readonly at: number;
  /** The fence of the holder that it is for; null: for every holder. */
  readonly fence: number | null;
  readonly answeredAt: number | null;
  readonly answer: RequestAnswer | null;
  readonly withdrawnAt: number | null;
}
