/** Combines a program's time limit and the launcher's abort signal, so that work can race against both. */
import pTimeout from "p-timeout";

export type Interruption = { readonly kind: "interrupted"; readonly by: "timeout" | "abort" };

export type RaceResult<T> = { readonly kind: "value"; readonly value: T } | Interruption;

export class Interruptible {
  /** True while the machine is being contacted. If the time limit passes then, the machine was never asked. */
  unanswered = false;
  /** Aborts with the `Interruption` as its reason. */
  readonly #interrupted = new AbortController();
  readonly #onStop = new Set<() => void>();
  #timer: NodeJS.Timeout | null = null;
  #startedAt = performance.now();
  readonly #onAbort = (): void => {
    this.#interrupt("abort");
  };

  /** @param timeoutMs milliseconds from now; `restart` starts them again */
  constructor(
    private readonly timeoutMs: number,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    this.restart();
  }

  restart(): void {
    this.#startedAt = performance.now();
    this.#arm();
  }

  /** Milliseconds since the program's start. */
  elapsed(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  /**
   * Resolves with the result of `work`, or with the interruption if that comes first. `work` is not cancelled, and its
   * later rejection is ignored.
   */
  async race<T>(work: Promise<T>): Promise<RaceResult<T>> {
    const { signal } = this.#interrupted;
    try {
      return { kind: "value", value: await pTimeout(work, { milliseconds: Infinity, signal }) };
    } catch (error) {
      if (signal.aborted && error === signal.reason) return error as Interruption;
      throw error;
    }
  }

  onStop(action: () => void): void {
    this.#onStop.add(action);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.signal.removeEventListener("abort", this.#onAbort);
    for (const action of this.#onStop) action();
  }

  #interrupt(by: Interruption["by"]): void {
    this.#interrupted.abort({ kind: "interrupted", by } satisfies Interruption);
  }

  /** Node timers are limited to 24.8 days, so a longer limit takes several timers. */
  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const left = this.timeoutMs - (performance.now() - this.#startedAt);
    this.#timer = setTimeout(
      () => {
        if (left > 2_000_000_000) this.#arm();
        else this.#interrupt("timeout");
      },
      Math.max(0, Math.min(left, 2_000_000_000)),
    );
  }
}
