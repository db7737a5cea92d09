/** A link of its own for one machine: what a test needs of the registry that commands share. */
import { ConnectionError, type MachineConnection } from "../../src/machines/contract/connection.js";
import type { ClosableLink } from "../../src/machines/contract/link.js";

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
