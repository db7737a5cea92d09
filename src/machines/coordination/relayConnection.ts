/**
 * The line between one program and the launcher: opens a relay when the program talks, and another one when that
 * breaks.
 */
import { setTimeout as delay } from "node:timers/promises";
import { isConnectionLostError, type MachineConnection } from "../contract/connection.js";
import type { BlHandler } from "./blRequest.js";
import { openRelay, type RelayEnd, type RelayOptions, type Relay } from "./relay.js";

/** How many relays a program gets on one connection: one that breaks again and again is the program's own doing. */
const RELAYS = 5;
const PAUSE_MS = 200;
/** Milliseconds that one may wait for a channel. */
const OPENING_MS = 20_000;

export interface RelayConnectionOptions {
  /** The step's directory, relative to the connection's work directory. */
  readonly directory: string;
  /** Null: nobody answers, and nothing is opened. */
  readonly handler: BlHandler | null;
  onWarning(message: string): void;
}

/** A connection that is lost is not asked again: the program will be asked about over another one. */
function broken(error: unknown): RelayEnd {
  if (isConnectionLostError(error)) return { kind: "closed" };
  return { kind: "broken", reason: error instanceof Error ? error.message : String(error) };
}

export class RelayConnection {
  #relay: Relay | null = null;
  /** The connection that a relay is kept on. */
  #connection: MachineConnection | null = null;
  #work: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(private readonly options: RelayConnectionOptions) {}

  /**
   * Answers the program over this connection from now on, unless it does already.
   * @param how "take-over" from a holder that has called, "anew" otherwise
   * @param hangUp tells that holder that nobody answers
   */
  attend(connection: MachineConnection, how: RelayOptions["how"], hangUp: () => void = () => undefined): void {
    const { handler } = this.options;
    if (handler === null || this.#closing.signal.aborted || this.#connection === connection) return;
    this.#connection = connection;
    const before = this.#work;
    this.#work = before
      .then(() => this.#keepRelay(connection, { ...this.options, handler, how }))
      .finally(() => {
        if (this.#connection === connection) this.#connection = null;
        if (!this.#closing.signal.aborted) hangUp();
      });
  }

  /** Resolves when nothing of it is left on the machine, or the machine is too slow for that. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#relay?.close();
    await this.#work;
  }

  async #keepRelay(connection: MachineConnection, options: RelayOptions): Promise<void> {
    const { signal } = this.#closing;
    let [how, reason] = [options.how, ""];
    for (let relay = 1; relay <= RELAYS; relay++) {
      const end = await this.#attendOnce(connection, { ...options, how }).catch(broken);
      if (end.kind !== "broken" || signal.aborted || !connection.alive) return;
      reason = end.reason;
      how = "anew";
      await delay(PAUSE_MS * relay, undefined, { signal }).catch(() => undefined); // the next look at the signal tells
      if (signal.aborted) return;
    }
    this.options.onWarning(`${options.directory}: bl is not answered any more: ${reason}`);
  }

  async #attendOnce(connection: MachineConnection, options: RelayOptions): Promise<RelayEnd> {
    const opening = openRelay(connection, options);
    const relay = await this.#within(opening);
    if (relay === null) {
      // One that comes too late is nobody's, and why none came is told already.
      void opening.then(
        (late) => late.close(),
        () => undefined,
      );
      return { kind: "broken", reason: `no channel within ${OPENING_MS / 1000} s` };
    }
    this.#relay = relay;
    if (this.#closing.signal.aborted) await relay.close();
    return relay.ended;
  }

  /** Null when the line was closed or too much time went by first. */
  async #within<T>(work: Promise<T>): Promise<T | null> {
    const done = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, done.signal]);
    const over = delay(OPENING_MS, null, { signal }).catch(() => null);
    return Promise.race([work, over]).finally(() => {
      done.abort();
    });
  }
}
