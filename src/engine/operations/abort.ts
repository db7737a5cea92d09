/** Aborts a run, and cancels an abort. */
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { StateError, isRunBusyError } from "../../state/contract/errors.js";
import { endAllUnfinished, unfinishedPrograms } from "../programs/unfinished.js";
import { enterRunState } from "../run/journal.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { abortWords } from "../run/abort.js";

export interface AbortResult {
  readonly run: string;
  /** The reason of the abort. If the run was already aborted, the first reason stays. */
  readonly reason: string;
  readonly origin: string;
  /** Whether this call aborted the run. */
  readonly fresh: boolean;
  /** The command of the launcher that works on the run and ends its programs; null if this call ended them. */
  readonly workedOnBy: string | null;
}

/**
 * Aborts a run: ends its running programs and starts nothing new. The launcher that works on the run ends the programs;
 * without one, this call does.
 * @throws StateError for a terminated run.
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
 * Ends running programs, unless another launcher works on the run and ends them, such as another abort.
 * @returns the command of that launcher, or null
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

/** Cleans up after a dead launcher: its programs still run, and the run is still in the state of that time. */
export async function endPrograms(store: Store, run: RunRecord, options: WorkOptions): Promise<void> {
  if (!isLeft(run) && unfinishedPrograms(await store.steps(run)).size === 0) return;
  await workOnRun(store, run, "abort", options, async (context) => {
    const startedAt = context.clock.now();
    await endAllUnfinished(context, await MachineAssignments.read(context));
    if (isLeft(run)) await enterRunState(context, "failed", startedAt);
  });
}

/** Whether the run is still in the state of a command that brought it up. */
function isLeft({ state }: RunRecord): boolean {
  return state === "booting" || state === "repairing" || state === "reloading";
}

/**
 * Cancels an abort, so that an operator can continue the run.
 * @returns the abort's reason, or null if the run was not aborted.
 */
export async function cancelAbort(store: Store, run: RunRecord): Promise<string | null> {
  return (await store.cancelAbort(run))?.reason ?? null;
}

/** @throws StateError for an aborted run: it starts nothing until the abort is cancelled. */
export function checkNotAborted({ name, abort }: Pick<RunRecord, "name" | "abort">): void {
  if (abort === null) return;
  throw new StateError(
    `${abortWords(abort)}. It starts nothing until the abort is cancelled`,
    `cancel the abort: bootlevel abort ${name} --cancel, or end the run: bootlevel terminate ${name}`,
  );
}
