/**
 * A clock for rehearsals, on which nobody waits: as soon as everything that is going on only sleeps, time jumps to the
 * moment at which the first sleeper wakes. A day of timeouts takes as long as the work between them.
 */
import type { Clock } from "./clock.js";
import { Heap } from "./heap.js";

interface Sleeper {
  readonly at: number;
  /** Breaks ties: who fell asleep first wakes first. */
  readonly order: number;
  /** Null once it was aborted. */
  wake: (() => void) | null;
}

export class VirtualClock implements Clock {
  private readonly sleepers = new Heap<Sleeper>((a, b) => a.at - b.at || a.order - b.order);
  private aborted = 0;
  private order = 0;
  private holds = 0;
  private watching = false;

  /** @param time what `now` says first, in milliseconds since the epoch. */
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
   * Stops time while something goes on that is neither a sleep nor a computation: a file, a child process, a socket.
   * Node does not tell of those.
   * @returns lets time go on; may be called more than once.
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

  /** Aborted sleepers are swept out together, when they are the most. */
  private forget(): void {
    this.aborted += 1;
    if (this.aborted * 2 <= this.sleepers.size) return;
    this.sleepers.keep(({ wake }) => wake !== null);
    this.aborted = 0;
  }

  /** Waits for two turns of the event loop in which nobody fell asleep: then nothing is left to do but to wait. */
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
      // A sleeper that was aborted is nobody's moment any more.
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

/** As `node:timers/promises` rejects. */
class AbortError extends Error {
  override readonly name = "AbortError";
  readonly code = "ABORT_ERR";
  constructor(signal: AbortSignal) {
    super("The operation was aborted", { cause: signal.reason });
  }
}
