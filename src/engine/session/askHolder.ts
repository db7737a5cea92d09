/** Asks the launcher that works on a run to do something, and waits for its answer. */
import type { RunRecord } from "../../state/contract/records.js";
import type { NewRequest, RequestAnswer } from "../../state/contract/requests.js";
import type { Store } from "../../state/contract/store.js";
import { RunBusyError } from "../../state/contract/errors.js";
import { realClock } from "../../time/clock.js";
import { pause } from "../run/failure.js";

/** How long a living holder may take, in milliseconds. One that is silent as long is taken for dead. */
const LONGEST_MS = 60_000;
const LOOK_MS = 50;

export interface HolderAnswer {
  readonly answer: RequestAnswer;
  /** The holder's command. */
  readonly command: string;
}

/**
 * Puts a request to the holder of a run's lease.
 * @returns its answer, or null if nobody works on the run, or stopped to before it answered.
 * @throws RunBusyError if the holder does not answer; InterruptedError if `signal` is aborted before.
 */
export async function askHolder(
  store: Store,
  run: Pick<RunRecord, "id" | "uid" | "name">,
  request: NewRequest,
  signal: AbortSignal,
): Promise<HolderAnswer | null> {
  const { holder } = await store.findRun(String(run.id));
  if (holder?.alive !== true) return null;
  const { command, since } = holder;
  const { request: put } = await store.putRequest(run, request);
  try {
    for (const deadline = realClock.now() + LONGEST_MS; ; await pause(realClock, LOOK_MS, signal)) {
      const answer = (await store.request(put.id))?.answer ?? null;
      if (answer?.status === "too-late") return null;
      if (answer !== null) return { answer, command };
      const now = (await store.findRun(String(run.id))).holder;
      if (now?.alive !== true || now.since !== since) return null;
      if (realClock.now() >= deadline)
        throw new RunBusyError(
          `run "${run.name}" is busy: ${command} works on it, and does not answer`,
          "try again when it has ended",
        );
    }
  } finally {
    await store.withdrawRequest(put.id);
  }
}
