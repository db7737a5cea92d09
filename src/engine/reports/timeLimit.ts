/** Time limits of collecting a report. */
import type { MachineConnection } from "../../machines/contract/connection.js";
import type { MachineLink } from "../../machines/contract/link.js";
import { isInterruptedError, unlessAborted } from "../run/failure.js";

/**
 * Does `work` with a signal that aborts when the time limit is reached or one of `stops` aborts.
 * @param ms the time limit in milliseconds.
 */
export async function withLimit<T>(
  ms: number,
  stops: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new Error(`fetching its files took longer than ${ms / 1000} s, the report's timeout`));
  }, ms);
  try {
    return await work(AbortSignal.any([...stops, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Connects to a machine within a time limit.
 * @param stop aborts the attempt: the operator stops the command.
 * @param cleanupExpired aborts the attempt; its reason is an Error that says why.
 * @returns the connection, or why there is none.
 */
export async function reachWithin(
  timeoutMs: number,
  stop: AbortSignal,
  cleanupExpired: AbortSignal | null,
  link: () => MachineLink,
): Promise<{ readonly connection: MachineConnection } | { readonly why: string }> {
  try {
    const connection = await withLimit(
      timeoutMs,
      [stop, ...(cleanupExpired === null ? [] : [cleanupExpired])],
      (signal) => unlessAborted(signal, link().connection()),
    );
    return { connection };
  } catch (error) {
    const why = !isInterruptedError(error)
      ? (error as Error).message
      : cleanupExpired?.aborted === true
        ? (cleanupExpired.reason as Error).message
        : stop.aborted
          ? "the command was stopped"
          : `it was not reached within ${timeoutMs / 1000} s`;
    return { why };
  }
}
