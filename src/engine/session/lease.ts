/** One operator at a time: a command takes the run's lease, keeps it alive while it works, and gives it back. */
import { setMaxListeners } from "node:events";

import type { RunEvent } from "../../model/events.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { SecretReading, Store } from "../../state/contract/store.js";
import { RunBusyError, StoodAsideError, isLeaseLostError, isRunBusyError } from "../../state/contract/errors.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { type RunContext } from "../run/context.js";
import { realClock } from "../../time/clock.js";
import { isInterruptedError, pause } from "../run/failure.js";
import { closeContext, openContext } from "./openContext.js";
import type { Session } from "./session.js";

/** Well below the silence after which another launcher may take over (30 s). */
const RENEW_MS = 5_000;
/** How often a command that waits for a busy run tries again, in milliseconds. */
const TRY_AGAIN_MS = 250;

/** What every command that works on a run is given. */
export interface WorkOptions {
  readonly observe: (event: RunEvent) => void;
  /** Aborted when the operator wants to stop. */
  readonly signal: AbortSignal;
  /** Aborted, with an Error that says why, when programs that tidy up are to end as well. Default: never. */
  readonly over?: AbortSignal;
  /** How long to wait for a launcher that works on the run, in milliseconds. */
  readonly waitMs: number;
  /** Told once, before it waits, who has the run. */
  readonly onWait?: (error: RunBusyError) => void;
  /** Keeps connections for what follows on the run. Default: none are kept. */
  readonly session?: Session;
}

/**
 * Takes a run's lease and works on the run: `work` is given what is known of it then, for it may have changed while the
 * lease was waited for.
 * @param command for people: `repair`.
 * @throws RunBusyError when another launcher works on the run, and does not end in time.
 */
export async function workOnRun<T>(
  store: Store,
  run: RunRecord,
  command: string,
  options: WorkOptions & { readonly secrets?: SecretReading },
  work: (context: RunContext, run: RunRecord) => Promise<T>,
): Promise<T> {
  const writer = await takeLease(store, run, command, options);
  return underLease(writer, options.signal, async (hold) => {
    const now = await store.findRun(String(run.id));
    const context = await openContext({
      run: now,
      store,
      writer,
      ...hold,
      over: options.over ?? null,
      observe: options.observe,
      ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
      ...(options.session === undefined ? {} : { session: options.session }),
    });
    try {
      return await work(context, now);
    } finally {
      await closeContext(context);
    }
  });
}

/** What a command is given that has a run in hand. */
export interface Hold {
  /**
   * Aborted when nothing new may be started: the operator wants to stop, another launcher has taken the run over, or
   * somebody has asked for the run.
   */
  readonly stop: AbortSignal;
  /** Aborts `stop`, because somebody has asked for the run. */
  readonly standAside: () => void;
}

/**
 * Does `work` under the lease that `writer` holds, and gives the lease back.
 * @param signal aborted when the operator wants to stop.
 * @throws StoodAsideError, after `work` has ended and the lease is given back, when somebody has asked for the run:
 *   what would follow must not take the run again.
 */
export async function underLease<T>(
  writer: RunWriter,
  signal: AbortSignal,
  work: (hold: Hold) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  let stoodAside: StoodAsideError | null = null;
  const timer = setInterval(() => {
    writer.renew().catch((error: unknown) => {
      // Any other error (a full disk, say) meets the next write too, which reports it where it matters.
      if (isLeaseLostError(error)) over.abort(error);
    });
  }, RENEW_MS);
  let failed = false;
  try {
    const stop = AbortSignal.any([signal, over.signal]);
    // Everything that waits listens to it: ten thousand services are no leak.
    setMaxListeners(0, stop);
    const result = await work({
      stop,
      standAside: () => {
        stoodAside ??= stoodAsideError(writer.run.name);
        over.abort(stoodAside);
      },
    });
    if (stoodAside !== null) throw stoodAside as StoodAsideError;
    return result;
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    clearInterval(timer);
    // A lease that cannot be given back falls to the next launcher once this one is gone; what ended the work is the
    // error to tell.
    await writer.release().catch((error: unknown) => {
      if (!failed) throw error;
    });
  }
}

function stoodAsideError(run: string): StoodAsideError {
  return new StoodAsideError(
    `run "${run}" was let go: another command has asked for it`,
    `see how far this one came, and what the other has made of the run: bootlevel show ${run}`,
  );
}

/**
 * Takes a run's lease, as soon as nobody else has it.
 * @param whileBusy called before each further try; what it throws ends the waiting.
 * @throws RunBusyError when another launcher works on the run, and does not end in time.
 */
export async function takeLease(
  store: Store,
  run: RunRecord,
  command: string,
  { waitMs, signal, onWait }: Pick<WorkOptions, "waitMs" | "signal" | "onWait">,
  whileBusy: () => Promise<void> = async () => undefined,
): Promise<RunWriter> {
  // Whoever holds the lease works in real time, whatever clock the run goes by.
  const deadline = realClock.now() + waitMs;
  for (let told = false; ; told = true) {
    try {
      return await store.takeRun(run, command);
    } catch (error) {
      if (!isRunBusyError(error) || realClock.now() >= deadline) throw error;
      if (!told) onWait?.(error);
      await pause(realClock, TRY_AGAIN_MS, signal).catch((stopped: unknown) => {
        throw isInterruptedError(stopped) ? error : stopped;
      });
      await whileBusy();
    }
  }
}
