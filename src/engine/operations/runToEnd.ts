/** A run that ends by itself: boots, executes, collects its reports, and destroys its machines unless they are kept. */
import type { RunEvent } from "../../model/events.js";
import type { Keep, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { RunRecord, VariableRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";
import { bootRun, type BootResult } from "./boot.js";
import { resumeRun } from "./resume.js";
import type { ReportOutcome } from "../reports/collectReports.js";
import { collectReportsNow } from "./collectReports.js";
import { withSession, type Session } from "../session/session.js";
import { terminateRun, type TerminateResult } from "./terminate.js";

export interface RunToEndRequest {
  /** A plan to boot, or a run to resume whose launcher died. */
  readonly start:
    | {
        readonly kind: "plan";
        readonly plan: LaunchPlan;
        readonly variables: readonly VariableRecord[];
        readonly name: string | null;
      }
    | { readonly kind: "resume"; readonly run: RunRecord };
  /** Which machines to keep; null: as the plan says. */
  readonly keep: Keep | null;
  /** Destroy machines whose reports are not home, too. */
  readonly force: boolean;
  readonly waitMs: number;
  readonly observe: (event: RunEvent) => void;
  /** Aborted when the operator stops the command: reports are collected and machines destroyed all the same. */
  readonly signal: AbortSignal;
}

export interface RunToEndResult {
  readonly run: string;
  /** Whether the run succeeded: everything became ready, and every execute program exited with 0. */
  readonly success: boolean;
  readonly boot: BootResult;
  /** The report of each replica that has something to report. */
  readonly reports: readonly ReportOutcome[];
  readonly keep: Keep;
  /** Null if the machines were kept. */
  readonly terminated: TerminateResult | null;
  readonly ms: number;
}

/**
 * Runs a plan to its end. Failures are in the result. Even after a failure, reports are collected, and machines are
 * destroyed unless they are kept.
 * @throws as `bootRun` and `resumeRun` do, before anything is started.
 */
export async function runToEnd(store: Store, request: RunToEndRequest): Promise<RunToEndResult> {
  // Reports are fetched and machines taken down over the connections of the boot.
  return withSession((session) => runInSession(store, request, session));
}

async function runInSession(store: Store, request: RunToEndRequest, session: Session): Promise<RunToEndResult> {
  const startedAt = store.clock.now();
  const boot = await begin(store, request, session);
  const run = await store.findRun(boot.run);
  const { plan } = await store.plan(run);
  const keep = request.keep ?? plan.keep ?? "never";
  const deadlines = plan.deadlines;
  // The operator stopped booting and executing. Machines that are not kept must be destroyed all the same.
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
          notHome: request.force ? new Map() : notHome(reports),
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
      // The caller's choice also overrides the plan for a command that continues the run.
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

function notHome(reports: readonly ReportOutcome[]): Map<string, string> {
  return new Map(
    reports.filter(({ home }) => !home).map(({ service, warnings }) => [service, warnings[0] ?? ""] as const),
  );
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

/**
 * Does `work` within a time limit, in milliseconds. After the limit, its signal aborts: it ends its programs and
 * records its progress.
 */
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
