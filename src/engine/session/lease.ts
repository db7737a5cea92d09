/** One launcher at a time: a command takes the run's lease, renews it while it works, and releases it. */
import { redactError } from "../../secrets/redactError.js";
import { setMaxListeners } from "node:events";

import type { RunEvent } from "../../model/events.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { SecretReading, Store } from "../../state/contract/store.js";
import { RunBusyError, StoodAsideError, isLeaseLostError, isRunBusyError } from "../../state/contract/errors.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { type RunContext } from "../run/context.js";
import { realClock } from "../../time/clock.js";
import { InterruptedError, isInterruptedError, pause } from "../run/failure.js";
import { closeContext, openContext } from "./openContext.js";
import type { Session } from "./session.js";

/**
 * The heartbeat interval, in milliseconds. Well below the 30 s without a heartbeat after which another launcher may
 * take over.
 */
const RENEW_MS = 5_000;
/** How often a waiting command retries to take a busy run, in milliseconds. */
const TRY_AGAIN_MS = 250;

/** Options of every command that works on a run. */
export interface WorkOptions {
  readonly observe: (event: RunEvent) => void;
  /** Aborted when the operator stops the command. */
  readonly signal: AbortSignal;
  /** Aborted, with an Error that says why, when cleanup programs must end as well. Default: never. */
  readonly over?: AbortSignal;
  /** How long to wait while another launcher works on the run, in milliseconds. */
  readonly waitMs: number;
  /** Called once before waiting, with the holder of the run. */
  readonly onWait?: (error: RunBusyError) => void;
  /** Keeps connections for later commands on the run. Default: none are kept. */
  readonly session?: Session;
}

/**
 * Takes a run's lease and works on the run. `work` receives the run as recorded at that time: it may have changed
 * during the wait.
 * @param command for people: `repair`.
 * @throws RunBusyError when another launcher works on the run and does not end in time.
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
    } catch (error) {
      throw redactError(error, context.redactor);
    } finally {
      await closeContext(context);
    }
  });
}

/** The signals of a command that holds a run's lease. */
export interface Hold {
  /**
   * Aborted when nothing new may start: the operator stops the command, another launcher took over the run, or another
   * command requested it.
   */
  readonly stop: AbortSignal;
  /** Aborts `stop` because another command requested the run. */
  readonly standAside: () => void;
}

/**
 * Does `work` under the lease that `writer` holds, then releases the lease.
 * @param signal aborted when the operator stops the command.
 * @throws StoodAsideError, after `work` has ended and the lease is released, when another command requested the run:
 *   the caller must not take the run again.
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
      // Any other error, such as a full disk, also fails the next write, which reports it where it matters.
      if (isLeaseLostError(error)) over.abort(error);
    });
  }, RENEW_MS);
  let failed = false;
  try {
    const stop = AbortSignal.any([signal, over.signal]);
    // Every wait adds a listener: with ten thousand services, that is not a leak.
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
    // If the lease cannot be released, the next launcher takes it after this one is gone. Report the error that ended
    // the work instead.
    await writer.release().catch((error: unknown) => {
      if (!failed) throw error;
    });
  }
}

function stoodAsideError(run: string): StoodAsideError {
  return new StoodAsideError(
    `run "${run}" was released: another command requested it`,
    `see the state of the run: bootlevel show ${run}`,
  );
}

/** The operator does not wait any longer. */
function interruptedWait({ message }: RunBusyError): InterruptedError {
  return new InterruptedError(false, `interrupted while waiting, nothing was done: ${message}`);
}

/**
 * Takes a run's lease as soon as it is free.
 * @param whileBusy called before each retry; if it throws, the wait ends.
 * @throws RunBusyError when another launcher works on the run and does not end in time; InterruptedError when the
 *   operator stops the wait.
 */
export async function takeLease(
  store: Store,
  run: RunRecord,
  command: string,
  { waitMs, signal, onWait }: Pick<WorkOptions, "waitMs" | "signal" | "onWait">,
  whileBusy: () => Promise<void> = async () => undefined,
): Promise<RunWriter> {
  // The holder of the lease works in real time, even if the run uses another clock.
  const deadline = realClock.now() + waitMs;
  for (let notified = false; ; notified = true) {
    try {
      return await store.takeRun(run, command);
    } catch (error) {
      if (!isRunBusyError(error) || realClock.now() >= deadline) throw error;
      if (!notified) onWait?.(error);
      await pause(realClock, TRY_AGAIN_MS, signal).catch((stopped: unknown) => {
        throw isInterruptedError(stopped) ? interruptedWait(error) : stopped;
      });
      await whileBusy();
    }
  }
}
