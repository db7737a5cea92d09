/**
 * The sessions of one SSH connection. sshd allows a number of them per connection (MaxSessions, usually 10) and does not
 * say which. The limit is learned when it refuses one.
 */

/** How many channels a connection gets by itself. Two of the usual ten stay free for urgent channels, such as a kill. */
const CHANNELS = 8;

/** What is known of a host's limit. All connections to the host share it. */
export class SessionLimit {
  #most = Infinity;
  #freed: (() => void)[] = [];

  /** How many sessions a connection may have. */
  get most(): number {
    return this.#most;
  }

  /** The host has refused a session beside this many others. */
  learn(others: number): void {
    this.#most = Math.min(this.#most, Math.max(1, others));
  }

  /** Resolves when the next session of any connection has ended. */
  freed(): Promise<void> {
    return new Promise((resolve) => {
      this.#freed.push(resolve);
    });
  }

  /** A session has ended. */
  tellFreed(): void {
    for (const resolve of this.#freed.splice(0)) resolve();
  }
}

interface Waiting {
  readonly urgent: boolean;
  readonly start: () => void;
}

/** Counts the sessions of a connection, and queues those that must wait for another one's end. */
export class SessionSlots {
  #usual = 0;
  #urgent = 0;
  #lastRelease = -Infinity;
  readonly #waiting: Waiting[] = [];

  constructor(private readonly limit: SessionLimit) {}

  /** Open and queued channels, without the urgent ones. */
  get channels(): number {
    return this.#usual + this.#waiting.filter(({ urgent }) => !urgent).length;
  }

  /** Sessions that are open, or being opened. */
  get open(): number {
    return this.#usual + this.#urgent;
  }

  /** Milliseconds since the last session ended. */
  get sinceRelease(): number {
    return performance.now() - this.#lastRelease;
  }

  /** Whether `take` resolves at once. */
  isFree(urgent: boolean): boolean {
    return this.#waiting.length === 0 && this.#hasRoom(urgent);
  }

  /**
   * Resolves when a session may be opened. Urgent ones go first.
   * @returns gives it back, with what became of it; safe to repeat
   */
  async take(urgent: boolean): Promise<(how: "ended" | "never-opened") => void> {
    if (!this.isFree(urgent))
      await new Promise<void>((resolve) => {
        const waiting = { urgent, start: resolve };
        const at = urgent ? this.#waiting.findIndex((other) => !other.urgent) : -1;
        if (at < 0) this.#waiting.push(waiting);
        else this.#waiting.splice(at, 0, waiting);
      });
    else this.#count(urgent, 1);
    let given = true;
    return (how) => {
      if (!given) return;
      given = false;
      this.#count(urgent, -1);
      if (how === "ended") this.#lastRelease = performance.now();
      this.#startNext();
      this.limit.tellFreed();
    };
  }

  /** Lets all who wait begin: the connection is lost, and they are to learn of it. */
  letAllIn(): void {
    for (const { urgent, start } of this.#waiting.splice(0)) {
      this.#count(urgent, 1);
      start();
    }
  }

  #startNext(): void {
    const next = this.#waiting[0];
    if (next === undefined || !this.#hasRoom(next.urgent)) return;
    this.#waiting.shift();
    this.#count(next.urgent, 1);
    next.start();
    this.#startNext();
  }

  #hasRoom(urgent: boolean): boolean {
    return this.open < this.limit.most && (urgent || this.#usual < CHANNELS);
  }

  #count(urgent: boolean, change: 1 | -1): void {
    if (urgent) this.#urgent += change;
    else this.#usual += change;
  }
}
