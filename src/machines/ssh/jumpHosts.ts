/** Connections to jump hosts, shared by all machines behind them. */
import type { Duplex } from "node:stream";
import type { Client } from "ssh2";
import pTimeout from "p-timeout";
import { ConnectionError } from "../contract/connection.js";
import { destroyStream } from "./destroyStream.js";
import type { AuthenticatedClient } from "./handshake.js";
import { JumpHostError } from "./jumpHostErrors.js";

/** Time limit for an orderly close, in milliseconds. A frozen jump host never closes its side. */
const GOODBYE_MS = 2000;

/** A connection to a jump host, with the number of streams that use it or wait for it. */
interface SharedConnection {
  readonly login: Promise<AuthenticatedClient>;
  /** Aborts the attempt to connect. */
  readonly life: AbortController;
  users: number;
}

export interface StreamOptions {
  /** For messages: `admin@10.0.0.1:22`. */
  readonly label: string;
  /** The time limit in milliseconds for a stage of connecting that begins now. */
  readonly limit: () => number;
  readonly signal: AbortSignal;
}

export class JumpHostPool {
  readonly #connections = new Map<string, SharedConnection>();

  /**
   * Opens a stream to the machine through the jump host `key`; `connect` is called if there is no connection yet. The
   * connection closes with its last stream, and an attempt to connect ends with the last one who waits for it.
   * @throws ConnectionError when the jump host or the machine does not answer, and the errors of `connect`
   */
  async stream(
    key: string,
    connect: (signal: AbortSignal) => Promise<AuthenticatedClient>,
    machine: { readonly host: string; readonly port: number },
    { label, limit, signal }: StreamOptions,
  ): Promise<Duplex> {
    const connection = this.#take(key, connect);
    try {
      const silent = (ms: number): Error => new JumpHostError(`no answer within ${ms / 1000} s`, label);
      const { client } = await within(connection.login, limit(), signal, silent);
      return await this.#open(client, machine, { label, limit, signal }, () => {
        this.#release(key, connection);
      });
    } catch (error) {
      this.#release(key, connection);
      throw error;
    }
  }

  /** @param onClosed called once, if the stream was returned and has ended. */
  async #open(
    client: Client,
    machine: { readonly host: string; readonly port: number },
    { label, limit, signal }: StreamOptions,
    onClosed: () => void,
  ): Promise<Duplex> {
    let isOpen = false;
    let isClosed = false;
    const opened = forward(client, machine, () => {
      isClosed = true;
      if (isOpen) onClosed();
    });
    const silent = (ms: number): Error =>
      new ConnectionError(`no answer through the jump host ${label} within ${ms / 1000} s`);
    try {
      const stream = await within(opened, limit(), signal, silent);
      isOpen = true;
      // It may end with the packet that opens it.
      if (isClosed) onClosed();
      return stream;
    } catch (error) {
      // A stream that opens too late is closed. Its failure was reported already.
      opened.then(destroyStream, () => undefined);
      throw error;
    }
  }

  #take(key: string, connect: (signal: AbortSignal) => Promise<AuthenticatedClient>): SharedConnection {
    const there = this.#connections.get(key);
    if (there !== undefined) {
      there.users++;
      return there;
    }
    const life = new AbortController();
    const fresh: SharedConnection = { login: connect(life.signal), life, users: 1 };
    this.#connections.set(key, fresh);
    const forget = (): void => {
      if (this.#connections.get(key) === fresh) this.#connections.delete(key);
    };
    fresh.login.then(({ client, stream }) => {
      client.on("close", forget);
      // Every machine behind it gets the error through its own stream.
      client.on("error", () => {
        forget();
        destroyStream(stream);
      });
    }, forget);
    return fresh;
  }

  #release(key: string, connection: SharedConnection): void {
    connection.users--;
    if (connection.users > 0) return;
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
    connection.life.abort();
    // An attempt that failed was reported to those who waited for it.
    connection.login.then(endClient, () => undefined);
  }
}

/** Says goodbye, and does not wait long for the answer. */
function endClient({ client, stream }: AuthenticatedClient): void {
  const timer = setTimeout(() => {
    destroyStream(stream);
  }, GOODBYE_MS);
  client.once("close", () => {
    clearTimeout(timer);
  });
  client.end();
}

/** @throws the error that `silent` makes after `limitMs` milliseconds; ConnectionError when the signal aborts */
async function within<T>(
  work: Promise<T>,
  limitMs: number,
  signal: AbortSignal,
  silent: (ms: number) => Error,
): Promise<T> {
  try {
    return await pTimeout(work, { milliseconds: limitMs, signal, message: silent(limitMs) });
  } catch (error) {
    if (signal.aborted) throw new ConnectionError("cancelled", { cause: error });
    throw error;
  }
}

/** @param onClosed called once a stream that was opened has ended; it may end with the packet that opens it. */
function forward(
  client: Client,
  { host, port }: { readonly host: string; readonly port: number },
  onClosed: () => void,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown): void => {
      reject(
        new ConnectionError(
          `the jump host cannot reach ${host}:${port}: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        ),
      );
    };
    try {
      client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
        if (error !== undefined) return refuse(error);
        channel.once("close", onClosed);
        resolve(channel);
      });
    } catch (error) {
      refuse(error);
    }
  });
}
