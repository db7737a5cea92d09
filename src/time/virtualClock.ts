/**
 * A clock for rehearsals that does not wait: as soon as all work is asleep, time jumps to the first sleeper's wake-up.
 * A day of timeouts takes only as long as the work between them.
 */
import type { Clock } from "./clock.js";
import { Heap } from "./heap.js";

interface Sleeper {
  readonly at: number;
  /** Breaks ties: the first to fall asleep wakes first. */
  readonly order: number;
  /** Null after an abort. */
  wake: (() => void) | null;
}

export class VirtualClock implements Clock {
  private readonly sleepers = new Heap<Sleeper>((a, b) => a.at - b.at || a.order - b.order);
  private aborted = 0;
  private order = 0;
  private holds = 0;
  private watching = false;

  /** @param time the first value of `now`, in milliseconds since the epoch. */
  constructor(private time: number) {}

  now(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new AbortError(signal));
        return;
      }
      const sleeper: Sleeper = { at: this.time + Math.max(0, Math.ceil(ms)), order: this.order, wake: null };
      const onAbort = (): void => {
        sleeper.wake = null;
        this.forget();
        reject(new AbortError(signal as AbortSignal));
      };
      sleeper.wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.order += 1;
      this.sleepers.push(sleeper);
      this.watch();
    });
  }

  /**
   * Stops time during work that is neither a sleep nor a computation: a file, a child process, a socket. Node does not
   * report such work.
   * @returns a function that lets time continue. Safe to call more than once.
   */
  hold(): () => void {
    this.holds += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.holds -= 1;
      this.watch();
    };
  }

  /** Removes aborted sleepers in bulk, once they are the majority. */
  private forget(): void {
    this.aborted += 1;
    if (this.aborted * 2 <= this.sleepers.size) return;
    this.sleepers.keep(({ wake }) => wake !== null);
    this.aborted = 0;
  }

  /** Waits for two turns of the event loop without a new sleeper: then all work is asleep. */
  private watch(): void {
    if (this.watching || this.holds > 0 || this.sleepers.size === 0) return;
    this.watching = true;
    const turn = (before: number): void => {
      if (this.holds > 0) this.watching = false;
      else if (before !== this.order) this.nextTurn(turn);
      else this.jump();
    };
    this.nextTurn(turn);
  }

  private nextTurn(turn: (before: number) => void): void {
    const before = this.order;
    setImmediate(() => setImmediate(turn, before));
  }

  private jump(): void {
    this.watching = false;
    const first = this.sleepers.first();
    if (first !== undefined) {
      // No one waits for the wake-up of an aborted sleeper, so time does not jump to it.
      if (first.wake !== null) this.time = first.at;
      for (let next: Sleeper | undefined = first; next?.at === first.at; next = this.sleepers.first()) {
        this.sleepers.pop();
        if (next.wake === null) this.aborted -= 1;
        else next.wake();
      }
    }
    this.watch();
  }
}

/** The error that `node:timers/promises` rejects with. */
class AbortError extends Error {
  override readonly name = "AbortError";
  readonly code = "ABORT_ERR";
  constructor(signal: AbortSignal) {
    super("The operation was aborted", { cause: signal.reason });
  }
}
