/**
 * What aborts a run that ends by itself (`bootlevel run`): a deadline, a failed service, and the operator, who wants
 * nothing more of it than its reports and the end of its machines.
 */
import type { RunState, ServiceFailure } from "../../model/events.js";
import type { Abort } from "../../state/contract/records.js";
import type { RunContext } from "./context.js";
import { Deadlines, type TimedPhase } from "./deadlines.js";

/** The origins of these aborts. */
const ORIGIN = { deadline: "deadline", failure: "on_failure", operator: "interrupt" } as const;

/** Whether `bootlevel run` aborted the run to end its programs, and nobody asked for the run to stay aborted. */
export function isPassing({ origin }: Pick<Abort, "origin">): boolean {
  return origin === ORIGIN.failure || origin === ORIGIN.operator;
}

export interface SelfAbort {
  /** Called when execute programs start, and when booting continues. */
  readonly enterPhase: (phase: TimedPhase) => void;
  /** Called with the failure of each service, redacted. */
  readonly onFailure: (failure: ServiceFailure) => void;
}

const NEVER: SelfAbort = { enterPhase: () => undefined, onFailure: () => undefined };

/**
 * Does `work`, and aborts the run when it must not go on. Only for the verb "run".
 * @param operator aborted when the operator stops the command.
 * @returns the result of `work`; an abort that came with its very end is in it.
 */
export async function withSelfAbort<T extends { readonly state: RunState; readonly aborted: Abort | null }>(
  context: RunContext,
  verb: "boot" | "run",
  operator: AbortSignal,
  work: (hooks: SelfAbort) => Promise<T>,
): Promise<T> {
  if (verb === "boot") return work(NEVER);
  const begun: Promise<void>[] = [];
  const abort = (origin: string, reason: string): void => {
    const done = context.abort.begin({ reason, origin, at: context.clock.now() });
    begun.push(done);
    context.writer?.expect(done);
  };
  const deadlines = new Deadlines(context.plan.deadlines, (phase, limitMs) => {
    const doing = phase === "boot" ? "booting" : "executing";
    abort(ORIGIN.deadline, `${doing} took longer than its deadline of ${limitMs / 1000} s`);
  });
  const stop = (): void => {
    abort(ORIGIN.operator, "the operator stopped bootlevel run");
  };
  operator.addEventListener("abort", stop, { once: true });
  if (operator.aborted) stop();
  try {
    const result = await work({
      enterPhase: (phase) => {
        deadlines.enter(phase);
      },
      onFailure: ({ service, step, message }) => {
        if (context.plan.onFailure === "abort") abort(ORIGIN.failure, `${service} failed in ${step}: ${message}`);
      },
    });
    await Promise.all(begun);
    const aborted = context.abort.current;
    // The abort may have come to the record just after the work had stopped for the operator.
    const state = aborted !== null && result.state === "interrupted" ? "failed" : result.state;
    return { ...result, state, aborted };
  } finally {
    deadlines.stop();
    operator.removeEventListener("abort", stop);
  }
}
