/** One connection a machine, kept for all its steps and made again when it breaks. */
import { ConnectionError, type MachineConnection } from "./connection.js";

export interface MachineLink {
  /**
   * A live connection: the one there is, or a new one. Rejects with `ConnectionError` when the machine cannot be
   * reached in its time limit.
   */
  connection(): Promise<MachineConnection>;
  /** Hands over work that nobody waits for, such as removing a directory; `close` waits for it. It must not reject. */
  finishLater(work: Promise<void>): void;
}

export interface ClosableLink extends MachineLink {
  /** Resolves when the work handed over so far is done. */
  idle(): Promise<void>;
  /** Waits for the work handed over, then closes the connection for good. */
  close(): Promise<void>;
}

/** @param connect makes a connection; called again after each break, never twice at a time */
export function createLink(connect: () => Promise<MachineConnection>): ClosableLink {
  let current: MachineConnection | null = null;
  let connecting: Promise<MachineConnection> | null = null;
  let closed = false;
  const work = new Set<Promise<void>>();

  async function reconnect(): Promise<MachineConnection> {
    const fresh = await connect();
    if (closed) await fresh.close();
    current = fresh;
    return fresh;
  }

  return {
    async connection() {
      if (closed) throw new ConnectionError("the link to the machine was closed");
      if (current?.alive === true) return current;
      connecting ??= reconnect().finally(() => {
        connecting = null;
      });
      return connecting;
    },
    finishLater(task) {
      work.add(task);
      void task.finally(() => work.delete(task));
    },
    async idle() {
      await Promise.all(work);
    },
    async close() {
      await Promise.all(work);
      closed = true;
      await current?.close();
    },
  };
}
