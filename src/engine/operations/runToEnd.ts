/** A run that ends by itself: boots, executes, collects its reports, and destroys its machines unless they are kept. */
import type { RunEvent } from "../../model/events.js";
import type { Keep, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { RunRecord, VariableRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { LONGEST_TIMER_MS } from "../../time/clock.js";
import { isPassing } from "../run/selfAbort.js";
import { takeLease, type WorkOptions } from "../session/lease.js";
import { endPrograms } from "./abort.js";
import { bootRun, type BootResult } from "./boot.js";
import { recordedBoot, wasBegunToEnd } from "./recordedBoot.js";
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

/** How long another launcher may work on the run between two phases, in milliseconds, such as a repair from cron. */
const PATIENCE_MS = 600_000;

async function runInSession(store: Store, request: RunToEndRequest, session: Session): Promise<RunToEndResult> {
  const startedAt = store.clock.now();
  const { number, boot } = await begin(store, request, session);
  const { observe } = request;
  const run = await store.findRun(String(number));
  const { plan } = await store.plan(run);
  const keep = request.keep ?? plan.keep ?? "never";
  // The operator stopped booting and executing. Machines that are not kept must be destroyed all the same.
  const options = {
    observe,
    waitMs: Math.max(request.waitMs, PATIENCE_MS),
    signal: new AbortController().signal,
    session,
  };
  const isGoingDown = run.goal === "down";
  const reports = isGoingDown
    ? []
    : await within("reporting", plan.deadlines.report, (over) =>
        collectReportsNow(store, run, { ...options, over, services: [], all: true }),
      );
  const success = boot.state === "ready";
  const kept = !isGoingDown && isKept(keep, success);
  const terminated = kept
    ? null
    : await within("taking down", plan.deadlines.terminate, (over) =>
        terminateRun(store, run, { ...options, signal: over, over, force: false, keep: false, reports: isGoingDown }),
      );
  // Its programs are ended, and an operator may go on with the machines.
  if (kept && boot.aborted !== null && isPassing(boot.aborted)) await store.cancelAbort(run);
  return { run: run.name, success, boot, reports, keep, terminated, ms: store.clock.now() - startedAt };
}

/** The result of booting and executing, and the number of the run. */
interface Begun {
  readonly number: number;
  readonly boot: BootResult;
}

async function begin(
  store: Store,
  { start, keep, waitMs, observe, signal }: RunToEndRequest,
  session: Session,
): Promise<Begun> {
  switch (start.kind) {
    case "plan": {
      // The caller's choice also overrides the plan for a command that continues the run.
      const boot = await bootRun(store, {
        plan: keep === null ? start.plan : { ...start.plan, keep },
        variables: start.variables,
        name: start.name,
        verb: "run",
        observe,
        signal,
        session,
      });
      return { number: (await store.findRun(boot.run)).id, boot };
    }
    case "resume": {
      const options = { waitMs, observe, signal, session };
      const boot =
        (await endedPart(store, start.run, options)) ??
        (await resumeRun(store, start.run, { ...options, verb: "run" }));
      return { number: start.run.id, boot };
    }
  }
}

/**
 * The result of booting and executing, if that part of the run is over: its launcher died while it collected reports or
 * took the run down, or after the run was aborted.
 * @returns null if there is something to boot or to execute, or if the run was not started by `run`.
 */
async function endedPart(store: Store, { id }: RunRecord, options: WorkOptions): Promise<BootResult | null> {
  const find = () => store.findRun(String(id));
  const isOver = (run: RunRecord) => run.goal === "down" || run.abort !== null;
  let run = await find();
  if (!isOver(run) || !(await wasBegunToEnd(store, run))) return null;
  if (run.state !== "terminated") {
    // Nobody else works on it now, and what it was when it was asked for may have changed.
    await (await takeLease(store, run, "run", options)).release();
    run = await find();
  }
  // An operator stopped the teardown, or keeps the machines after it.
  if (!isOver(run) || (run.goal === "down" && run.state === "interrupted")) return null;
  if (run.goal === "up") await endPrograms(store, run, options);
  return recordedBoot(store, run);
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
