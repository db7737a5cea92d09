/** Takes a run from the launcher that works on it, by asking that launcher to stand aside. */
import { RunBusyError, isRunBusyError } from "../../state/contract/errors.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { takeLease, type WorkOptions } from "./lease.js";

export interface TakeOptions extends Pick<WorkOptions, "signal" | "onWait"> {
  /** The requester, for people: `repair (process 12 on lab)`. */
  readonly origin: string;
  readonly reason: string;
  /** How long the holder may take to release the run, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Takes a run's lease. A holder is asked to stop as after one Ctrl-C: it starts nothing new, waits for running
 * programs, and releases the run. A holder that dies during the wait is replaced as usual.
 * @param command for people: `repair`.
 * @throws RunBusyError when the holder does not support this or does not release the run in time; the request is
 *   withdrawn then.
 */
export async function takeFromHolder(
  store: Store,
  run: RunRecord,
  command: string,
  { origin, reason, ...wait }: TakeOptions,
): Promise<RunWriter> {
  try {
    return await store.takeRun(run, command);
  } catch (error) {
    if (!isRunBusyError(error)) throw error;
  }
  const at = store.clock.now();
  const { request } = await store.putRequest(run, { kind: "stand-aside", data: { reason }, origin, at });
  try {
    return await takeLease(store, run, command, wait, async () => {
      const answer = (await store.request(request.id))?.answer ?? null;
      if (answer?.status !== "not-supported") return;
      throw new RunBusyError(
        `run "${run.name}" is busy, and its holder does not stand aside: ${answer.message}`,
        "run the command again when it has ended, or stop it",
      );
    });
  } finally {
    await store.withdrawRequest(request.id);
  }
}
