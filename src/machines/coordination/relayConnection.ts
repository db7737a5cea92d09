/**
 * Connects one program's `bl` to the launcher: opens a relay at the program's first request, and a new one when it
 * breaks.
 */
import { setTimeout as delay } from "node:timers/promises";
import pTimeout from "p-timeout";
import { type MachineConnection, isConnectionLostError } from "../contract/connection.js";
import { answeredOnce } from "./answeredOnce.js";
import type { BlHandler } from "./blRequest.js";
import { openRelay, type RelayEnd, type RelayOptions, type Relay } from "./relay.js";

/** Maximum number of relays per program and connection. If they keep breaking, the program is the cause. */
const RELAYS = 5;
const PAUSE_MS = 200;
/** Time limit for opening a channel, in milliseconds. */
const OPENING_MS = 20_000;

export interface RelayConnectionOptions {
  /** The step's directory, relative to the connection's work directory. */
  readonly directory: string;
  /** Null: nothing is opened, and `bl` gets no answers. */
  readonly handler: BlHandler | null;
  onWarning(message: string): void;
}

/** After a lost connection the program is recovered over another one, so this relay just ends. */
function broken(error: unknown): RelayEnd {
  if (isConnectionLostError(error)) return { kind: "closed" };
  return { kind: "broken", reason: error instanceof Error ? error.message : String(error) };
}

export class RelayConnection {
  #relay: Relay | null = null;
  /** The connection that the current relay uses. */
  #connection: MachineConnection | null = null;
  #work: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  /** Remembers over all relays what was answered. */
  readonly #handler: BlHandler | null;

  constructor(private readonly options: RelayConnectionOptions) {
    this.#handler = options.handler === null ? null : answeredOnce(options.handler);
  }

  /**
   * Serves the program over this connection from now on, unless it does so already.
   * @param how "take-over" from the holder that sent the call, "anew" otherwise
   * @param hangUp tells that holder that nobody answers
   */
  attend(connection: MachineConnection, how: RelayOptions["how"], hangUp: () => void = () => undefined): void {
    const handler = this.#handler;
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

  /** Resolves when the machine has removed the relay, or takes too long for it. */
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
      await delay(PAUSE_MS * relay, undefined, { signal }).catch(() => undefined); // the signal is checked below
      if (signal.aborted) return;
    }
    this.options.onWarning(`${options.directory}: requests of bl are no longer answered: ${reason}`);
  }

  async #attendOnce(connection: MachineConnection, options: RelayOptions): Promise<RelayEnd> {
    const opening = openRelay(connection, options);
    const relay = await this.#within(opening);
    if (relay === null) {
      // Close a channel that opens too late. Its failure was reported already.
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

  /** Null on `close` or a timeout. */
  async #within<T>(work: Promise<T>): Promise<T | null> {
    const { signal } = this.#closing;
    try {
      return await pTimeout(work, { milliseconds: OPENING_MS, signal, fallback: () => null });
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }
}
