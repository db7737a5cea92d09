/** A run that ends by itself: boots, executes, brings its reports home, and goes by what is to be kept. */
import type { RunEvent } from "../../model/events.js";
import type { Keep, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { RunRecord, VariableRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/sqlite/store.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";
import { bootRun, type BootResult } from "./boot.js";
import { resumeRun } from "./resume.js";
import type { ReportOutcome } from "../reports/collectReports.js";
import { collectReportsNow } from "./collectReports.js";
import { withSession, type Session } from "../session/session.js";
import { terminateRun, type TerminateResult } from "./terminate.js";

export interface RunToEndRequest {
  /** A plan to boot; or a run whose launcher died, to go on with. */
  readonly start:
    | {
        readonly kind: "plan";
        readonly plan: LaunchPlan;
        readonly variables: readonly VariableRecord[];
        readonly name: string | null;
      }
    | { readonly kind: "resume"; readonly run: RunRecord };
  /** What becomes of the machines; null: what the plan says. */
  readonly keep: Keep | null;
  readonly waitMs: number;
  readonly observe: (event: RunEvent) => void;
  /** Aborted when the operator wants to stop: what follows is done all the same. */
  readonly signal: AbortSignal;
}

export interface RunToEndResult {
  readonly run: string;
  /**
   * Whether all that the plan is there for was done: everything became ready, and every execute program ended with 0.
   */
  readonly success: boolean;
  readonly boot: BootResult;
  /** What came of the report of each replica that has anything to report. */
  readonly reports: readonly ReportOutcome[];
  readonly keep: Keep;
  /** Null when the machines were kept. */
  readonly terminated: TerminateResult | null;
  readonly ms: number;
}

/**
 * Runs a plan to its end. Failures are in the result; whatever fails, reports are collected, and machines end unless
 * they are to be kept.
 * @throws as `bootRun` and `resumeRun` do, before anything is started.
 */
export async function runToEnd(store: Store, request: RunToEndRequest): Promise<RunToEndResult> {
  // Reports are fetched, and machines taken down, over the connections that booted them.
  return withSession((session) => runInSession(store, request, session));
}

async function runInSession(store: Store, request: RunToEndRequest, session: Session): Promise<RunToEndResult> {
  const startedAt = store.clock.now();
  const boot = await begin(store, request, session);
  const run = await store.findRun(boot.run);
  const { plan } = await store.plan(run);
  const keep = request.keep ?? plan.keep ?? "never";
  const deadlines = plan.deadlines ?? {};
  // The operator's wish to stop was for what went on then: machines that nobody wants must not be left by it.
  const { observe, waitMs } = request;
  const reports = await within("reporting", deadlines.report, (over) =>
    collectReportsNow(store, run, {
      observe,
      waitMs,
      signal: new AbortController().signal,
      over,
      session,
      services: [],
      all: true,
    }),
  );
  const success = boot.state === "ready";
  const terminated = isKept(keep, success)
    ? null
    : await within("taking down", deadlines.terminate, (over) =>
        terminateRun(store, run, {
          observe,
          waitMs,
          signal: over,
          over,
          session,
          force: false,
          keep: false,
          reports: false,
        }),
      );
  return { run: boot.run, success, boot, reports, keep, terminated, ms: store.clock.now() - startedAt };
}

async function begin(
  store: Store,
  { start, keep, waitMs, observe, signal }: RunToEndRequest,
  session: Session,
): Promise<BootResult> {
  switch (start.kind) {
    case "plan":
      // What the call says of machines goes before the plan for whoever goes on with the run, too.
      return bootRun(store, {
        plan: keep === null ? start.plan : { ...start.plan, keep },
        variables: start.variables,
        name: start.name,
        verb: "run",
        observe,
        signal,
        session,
      });
    case "resume":
      return resumeRun(store, start.run, { waitMs, observe, signal, session, verb: "run" });
  }
}

export function isKept(keep: Keep, success: boolean): boolean {
  switch (keep) {
    case "always":
      return true;
    case "never":
      return false;
    case "on-error":
      return !success;
    case "on-success":
      return success;
  }
}

/** Does `work`, and tells it when its time is over: its programs are ended then, and it writes down how far it came. */
async function within<T>(
  what: string,
  limitMs: number | undefined,
  work: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const end = (): void => {
    over.abort(new Error(`${what} took longer than its deadline of ${(limitMs ?? 0) / 1000} s`));
  };
  const timer = limitMs === undefined ? null : setTimeout(end, Math.min(limitMs, LONGEST_TIMER_MS));
  try {
    return await work(over.signal);
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}
