/** Takes a run in hand although a launcher works on it: that one is asked to stand aside. */
import { RunBusyError, isRunBusyError } from "../../state/contract/errors.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { takeLease, type WorkOptions } from "./lease.js";

export interface TakeOptions extends Pick<WorkOptions, "signal" | "onWait"> {
  /** Who asks, for people: `repair (process 12 on lab)`. */
  readonly origin: string;
  readonly reason: string;
  /** How long the holder may take until it lets the run go, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Takes a run's lease. A holder is asked to stop as after one Ctrl-C: it starts nothing new, waits for what runs, and lets
 * the run go. One that dies meanwhile is replaced like any other.
 * @param command for people: `repair`.
 * @throws RunBusyError when the holder cannot do that, or does not let go in time; the request is withdrawn then.
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
        "call again when it has ended, or stop it",
      );
    });
  } finally {
    await store.withdrawRequest(request.id);
  }
}
