/** Connections to jump hosts, shared by all machines behind them. */
import type { Duplex } from "node:stream";
import type { Client } from "ssh2";
import { ConnectionError } from "../contract/connection.js";

/** A connection to a jump host, with the number of streams that use it. */
interface SharedConnection {
  readonly client: Promise<Client>;
  users: number;
}

export class JumpHostPool {
  readonly #connections = new Map<string, SharedConnection>();

  /**
   * Opens a stream to the machine through the jump host `key`; `connect` is called if there is no connection yet. The
   * connection closes with its last stream.
   * @param onReached called when the jump host is there, and only the machine is waited for
   * @throws ConnectionError when the jump host cannot reach the machine, and the errors of `connect`
   */
  async stream(
    key: string,
    connect: () => Promise<Client>,
    { host, port }: { readonly host: string; readonly port: number },
    onReached: () => void,
  ): Promise<Duplex> {
    const connection = this.#take(key, connect);
    try {
      const client = await connection.client;
      onReached();
      return await forward(client, host, port, () => {
        this.#release(key, connection);
      });
    } catch (error) {
      this.#release(key, connection);
      throw error;
    }
  }

  #take(key: string, connect: () => Promise<Client>): SharedConnection {
    const there = this.#connections.get(key);
    if (there !== undefined) {
      there.users++;
      return there;
    }
    const fresh: SharedConnection = { client: connect(), users: 1 };
    this.#connections.set(key, fresh);
    const forget = (): void => {
      if (this.#connections.get(key) === fresh) this.#connections.delete(key);
    };
    fresh.client.then((client) => {
      client.on("close", forget);
      // Every machine behind it gets the error through its own stream.
      client.on("error", forget);
    }, forget);
    return fresh;
  }

  #release(key: string, connection: SharedConnection): void {
    connection.users--;
    if (connection.users > 0) return;
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
    connection.client.then(
      (client) => client.end(),
      () => undefined,
    );
  }
}

/** @param onClosed called once a stream that was opened has ended; it may end with the packet that opens it. */
function forward(client: Client, host: string, port: number, onClosed: () => void): Promise<Duplex> {
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
