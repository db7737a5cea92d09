/** Keeps the run's lease alive while a command works on it. */
import { LeaseLostError } from "../state/stateError.js";
import type { RunWriter } from "../state/runWriter.js";

/** Well below the silence after which another launcher may take over (30 s). */
const RENEW_MS = 5_000;

/**
 * Does `work` under the lease that `writer` holds, and gives the lease back.
 * @param lost is called when another launcher has taken the run over: nothing may be started then.
 */
export async function underLease<T>(writer: RunWriter, lost: (error: Error) => void, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    writer.renew().catch((error: unknown) => {
      // Any other error (a full disk, say) meets the next write too, which reports it where it matters.
      if (error instanceof LeaseLostError) lost(error);
    });
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await writer.release();
  }
}
