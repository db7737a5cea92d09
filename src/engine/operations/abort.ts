/** Aborts a run from outside, and takes an abort back. */
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { StateError, isRunBusyError } from "../../state/contract/errors.js";
import { endUnfinished, unfinishedPrograms } from "../programs/unfinished.js";
import { enterRunState } from "../run/journal.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { abortWords } from "../run/abort.js";
import { settleAll } from "../run/settleAll.js";

export interface AbortResult {
  readonly run: string;
  /** The reason that is in force: the first one stays. */
  readonly reason: string;
  readonly origin: string;
  /** Whether this call has aborted the run. */
  readonly fresh: boolean;
  /** The command of the launcher that works on the run and ends what runs, or null: this call has done that. */
  readonly workedOnBy: string | null;
}

/**
 * Aborts a run: programs that run are ended, by the launcher that works on the run, or by this call where none does;
 * nothing new begins.
 * @throws StateError for a run that is terminated.
 */
export async function abortRun(
  store: Store,
  run: RunRecord,
  { reason, ...options }: WorkOptions & { readonly reason: string },
): Promise<AbortResult> {
  if (run.state === "terminated") throw new StateError(`run "${run.name}" is terminated`, "there is nothing to abort");
  const { request, fresh } = await store.putRequest(run, {
    kind: "abort",
    data: { reason },
    origin: "operator",
    at: store.clock.now(),
  });
  const workedOnBy = await endOrLeave(store, run, options);
  return { run: run.name, reason: String(request.data["reason"]), origin: request.origin, fresh, workedOnBy };
}

/**
 * Ends what runs, unless somebody works on the run, who does that: another call to abort it, for one. @returns the
 * command of that one, or null
 */
async function endOrLeave(store: Store, { id }: RunRecord, options: WorkOptions): Promise<string | null> {
  for (;;) {
    const run = await store.findRun(String(id));
    if (run.holder?.alive === true) return run.holder.command;
    try {
      await endPrograms(store, run, options);
      return null;
    } catch (error) {
      if (!isRunBusyError(error)) throw error;
    }
  }
}

/** What a dead launcher has left: its programs run on by themselves, and the run is in the state that it had. */
async function endPrograms(store: Store, run: RunRecord, options: WorkOptions): Promise<void> {
  const isLeft = run.state === "booting" || run.state === "repairing" || run.state === "reloading";
  if (!isLeft && unfinishedPrograms(await store.steps(run)).size === 0) return;
  await workOnRun(store, run, "abort", options, async (context) => {
    const startedAt = context.clock.now();
    const assignments = await MachineAssignments.read(context);
    const unfinished = unfinishedPrograms(await store.steps(run));
    await settleAll(
      context.levels
        .flat()
        .map((service) => endUnfinished(context, assignments, service, unfinished.get(service.id) ?? [])),
    );
    if (isLeft) await enterRunState(context, "failed", startedAt);
  });
}

/**
 * Takes an abort back, so that an operator can go on with the run. @returns the reason that it had, or null: it was not
 * aborted.
 */
export async function cancelAbort(store: Store, run: RunRecord): Promise<string | null> {
  return (await store.cancelAbort(run))?.reason ?? null;
}

/** @throws StateError for a run that somebody has aborted: nothing is brought up in it until that is taken back. */
export function checkNotAborted({ name, abort }: Pick<RunRecord, "name" | "abort">): void {
  if (abort === null) return;
  throw new StateError(
    `${abortWords(abort)}. Nothing is brought up in it`,
    `go on with: bootlevel abort ${name} --cancel, or end it: bootlevel terminate ${name}`,
  );
}
