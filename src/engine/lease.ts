/** Keeps the run's lease alive while a command works on it. */
import { LeaseLostError } from "../state/stateError.js";
import type { RunWriter } from "../state/runWriter.js";

/** Well below the silence after which another launcher may take over (30 s). */
const RENEW_MS = 5_000;

/**
 * Does `work` under the lease that `writer` holds, and gives the lease back.
 * @param signal aborted when the operator wants to stop.
 * @param work is told when nothing new may be started: the operator wants to stop, or another launcher has taken the run over.
 */
export async function underLease<T>(writer: RunWriter, signal: AbortSignal, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
  const lost = new AbortController();
  const timer = setInterval(() => {
    writer.renew().catch((error: unknown) => {
      // Any other error (a full disk, say) meets the next write too, which reports it where it matters.
      if (error instanceof LeaseLostError) lost.abort(error);
    });
  }, RENEW_MS);
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(timer);
    await writer.release();
  }
}
