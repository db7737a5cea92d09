/** What becomes of calls on their way: throttling, errors of the server, lost and late answers. */
import { refusal, type Fate, type Layer, type Reply } from "../moto.js";
import type { Faults } from "./faults.js";

/** A call as a test looks at it. */
export interface LabCall {
  readonly action: string;
  /** As they were sent. */
  readonly parameters: URLSearchParams;
  /** The status of the answer; "cut": none came. */
  readonly outcome: number | "cut";
  /** EC2's name of the error, or null. */
  readonly code: string | null;
}

/** Keeps every call with its outcome, in the order of their ends. */
export function recordLayer(log: LabCall[]): Layer {
  return async (call, next) => {
    const parameters = new URLSearchParams(call.parameters);
    const reply = await next(call);
    const isAnswer = reply !== "cut";
    log.push({
      action: call.action,
      parameters,
      outcome: isAnswer ? reply.status : "cut",
      code: (isAnswer && reply.status >= 400 ? /<Code>([^<]*)</.exec(reply.text)?.[1] : undefined) ?? null,
    });
    return reply;
  };
}

/**
 * Lets the rule and the chances of `faults` decide. Every chance is drawn for every call, so that one setting does not
 * shift the others.
 */
export function networkLayer(faults: Faults): Layer {
  return async (call, next) => {
    const { settings } = faults;
    const nth = (faults.counts.get(call.action) ?? 0) + 1;
    faults.counts.set(call.action, nth);
    const [throttled, failedBefore, lostBefore, failedAfter, lostAfter, slow] = [0, 1, 2, 3, 4, 5].map(() =>
      faults.draw(),
    ) as [number, number, number, number, number, number];
    const fate = settings.rule?.(call.action, call.parameters, nth) ?? null;
    if (fate !== null) return fated(fate, () => next(call));
    if (settings.actions !== null && !settings.actions.includes(call.action)) return next(call);
    if (throttled < settings.throttled)
      return refusal({ status: 503, code: "RequestLimitExceeded", message: "Request limit exceeded." });
    if (failedBefore < settings.failedBefore) return internalError();
    if (lostBefore < settings.lostBefore) return "cut";
    const reply = await next(call);
    if (settings.slowMs > 0)
      await new Promise((resolve) => {
        setTimeout(resolve, slow * settings.slowMs);
      });
    if (lostAfter < settings.lostAfter) return "cut";
    return failedAfter < settings.failedAfter ? internalError() : reply;
  };
}

async function fated(fate: Exclude<Fate, null>, next: () => Promise<Reply | "cut">): Promise<Reply | "cut"> {
  if (typeof fate === "object") return refusal(fate);
  if (fate === "cut-after") await next();
  return "cut";
}

function internalError(): Reply {
  return refusal({ status: 500, code: "InternalError", message: "An internal error has occurred" });
}
