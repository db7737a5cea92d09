/**
 * Every call to a cloud goes through here. Right before it the lease is proved, so that a launcher that froze and was
 * replaced calls no cloud; a cloud that asks for fewer calls slows all calls to it; a call whose answer is lost is made
 * again, since every verb is safe to repeat. `connect` changes nothing at the cloud: it needs no proof, as SSH needs none.
 */
import type { Clock } from "../../time/clock.js";
import {
  isLostReplyError,
  isThrottledError,
  LostReplyError,
  ThrottledError,
  type Driver,
} from "../../drivers/contract/driver.js";
import { checkAnswers } from "./checkedAnswers.js";

export interface GuardParts {
  /** The cloud's name, for the probe. */
  readonly cloud: string;
  readonly clock: Clock;
  /** Rejects when another launcher has the run. */
  readonly prove: () => Promise<void>;
  /** Called before and after each call. */
  readonly probe: ((point: string) => void) | undefined;
  /**
   * Records the actual time of a launch request, if it differs from when it was recorded first: a later lookup counts
   * from there. Not needed without launches.
   */
  readonly noteAsked?: (keys: readonly string[]) => Promise<void>;
  /** A random number from 0 to 1, for the jitter of pauses. */
  readonly random: () => number;
  /** Tells the operator what is being waited for. Default: nobody is told. */
  readonly warn?: (message: string) => void;
}

/** The pause before the first retry, in milliseconds. Each later pause doubles, up to the longest. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** How long a call is retried, in milliseconds: some clouds list the result of a lost call only after minutes. */
const PATIENCE_MS = 10 * 60_000;
/** A call that is retried is reported after this time, in milliseconds, and then each time it has doubled. */
const REPORT_AFTER_MS = 5_000;
/** A launch that waited less than this, in milliseconds, keeps its recorded request time. */
const AT_ONCE_MS = 1_000;

/** Wraps a driver with guarded calls. Other errors of the driver pass through. */
export function guardDriver(driver: Driver, parts: GuardParts): Driver {
  const calls = new GuardedCalls(parts);
  const checked = checkAnswers(driver, parts.cloud);
  return {
    launch: (requests, signal) =>
      calls.make(
        "launch",
        signal,
        () => checked.launch(requests, signal),
        async () => parts.noteAsked?.(requests.map(({ key }) => key)),
      ),
    describe: (ids, signal) => calls.make("describe", signal, () => checked.describe(ids, signal)),
    terminate: (ids, signal) => calls.make("terminate", signal, () => checked.terminate(ids, signal)),
    list: (scope, signal) => calls.make("list", signal, () => checked.list(scope, signal)),
    lends: driver.lends ?? false,
    visibilityMs: driver.visibilityMs ?? 0,
    ...(driver.hostKeyFingerprints === undefined
      ? {}
      : {
          hostKeyFingerprints: (id, signal) =>
            calls.make("hostKeyFingerprints", signal, async () => driver.hostKeyFingerprints?.(id, signal) ?? null),
        }),
    ...(driver.admit === undefined
      ? {}
      : {
          admit: (scope, host, signal) =>
            calls.make("admit", signal, async () => driver.admit?.(scope, host, signal) ?? null),
        }),
    ...withImages(driver, calls),
    ...(driver.check === undefined
      ? {}
      : {
          check: (requests, signal) => calls.make("check", signal, async () => driver.check?.(requests, signal) ?? []),
        }),
    ...(driver.release === undefined
      ? {}
      : { release: (scope, signal) => calls.make("release", signal, async () => driver.release?.(scope, signal)) }),
    ...(driver.unreleased === undefined
      ? {}
      : {
          unreleased: (installation, signal) =>
            calls.make("unreleased", signal, async () => driver.unreleased?.(installation, signal) ?? []),
        }),
    ...withMachines(driver, calls),
    close: async (signal) => driver.close?.(signal),
  };
}

/** A driver that cannot create images has neither verb. */
function withImages(driver: Driver, calls: GuardedCalls): Pick<Driver, "createImage" | "deleteImage"> {
  const createImage = driver.createImage?.bind(driver);
  const deleteImage = driver.deleteImage?.bind(driver);
  return {
    ...(createImage === undefined
      ? {}
      : { createImage: (request, signal) => calls.make("createImage", signal, () => createImage(request, signal)) }),
    ...(deleteImage === undefined
      ? {}
      : { deleteImage: (id, signal) => calls.make("deleteImage", signal, () => deleteImage(id, signal)) }),
  };
}

/** How its machines are used, which changes nothing at the cloud. */
function withMachines(driver: Driver, calls: GuardedCalls): Pick<Driver, "connect" | "programRunner"> {
  const connect = driver.connect?.bind(driver);
  return {
    ...(connect === undefined
      ? {}
      : { connect: (id, options) => calls.repeat("connect", options.signal, () => connect(id, options)) }),
    ...(driver.programRunner === undefined ? {} : { programRunner: driver.programRunner.bind(driver) }),
  };
}

function givenUp(error: Error): Error {
  const options = {
    cause: error,
    remedy: "check the cloud's status page and the network, then repeat the command",
  };
  const message = `${error.message} (given up after ${PATIENCE_MS / 60_000} minutes)`;
  return isThrottledError(error) ? new ThrottledError(message, options) : new LostReplyError(message, options);
}

class GuardedCalls {
  /** No call starts before this time: the cloud's rate limit. */
  private notBefore = 0;

  constructor(private readonly parts: GuardParts) {}

  /** @param late awaited before a call that is delayed. */
  async make<T>(verb: string, signal: AbortSignal, call: () => Promise<T>, late?: () => Promise<void>): Promise<T> {
    return this.repeat(verb, signal, () => this.once(verb, call), late);
  }

  /** At the pace that the cloud asks for, and without a proof of the lease. */
  async repeat<T>(verb: string, signal: AbortSignal, call: () => Promise<T>, late?: () => Promise<void>): Promise<T> {
    const { clock } = this.parts;
    const begin = clock.now();
    const giveUp = begin + PATIENCE_MS;
    for (let [attempt, reportAt] = [1, begin + REPORT_AFTER_MS]; ; attempt += 1) {
      try {
        await this.wait(signal);
        if (attempt > 1 || clock.now() > begin + AT_ONCE_MS) await late?.();
        return await call();
      } catch (error) {
        const again = isThrottledError(error) || isLostReplyError(error);
        if (!again || signal.aborted) throw error;
        if (clock.now() > giveUp) throw givenUp(error);
        if (clock.now() >= reportAt) reportAt = this.report(verb, begin, error);
        this.slowDown(error, attempt);
        if (isLostReplyError(error)) await this.sleep(this.pauseMs(attempt), signal);
      }
    }
  }

  private async once<T>(verb: string, call: () => Promise<T>): Promise<T> {
    const { cloud, prove, probe } = this.parts;
    probe?.(`before ${cloud} ${verb}`);
    await prove();
    try {
      return await call();
    } finally {
      probe?.(`after ${cloud} ${verb}`);
    }
  }

  /** @returns when to report next. */
  private report(verb: string, begin: number, error: Error): number {
    const { cloud, clock, warn } = this.parts;
    const waitedMs = clock.now() - begin;
    warn?.(
      `cloud "${cloud}": ${verb} has been tried for ${Math.round(waitedMs / 1000)} s and goes on: ${error.message}`,
    );
    return begin + 2 * waitedMs;
  }

  private slowDown(error: unknown, attempt: number): void {
    if (isThrottledError(error))
      this.notBefore = Math.max(this.notBefore, this.parts.clock.now() + this.pauseMs(attempt));
  }

  private async wait(signal: AbortSignal): Promise<void> {
    const { clock } = this.parts;
    // Checked again after each pause: the cloud may have extended the rate limit.
    while (clock.now() < this.notBefore && !signal.aborted) await this.sleep(this.notBefore - clock.now(), signal);
  }

  /** Returns early when the signal aborts. */
  private async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.parts.clock.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Half to all of the pause, at random: throttled callers must not come back together. */
  private pauseMs(attempt: number): number {
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
    return pause * (0.5 + this.parts.random() / 2);
  }
}
