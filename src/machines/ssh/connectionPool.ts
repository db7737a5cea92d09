/** One machine behind as many connections as its channels need: sshd allows only so many sessions a connection. */
import { ConnectionLostError, type Channel, type MachineConnection } from "../contract/connection.js";
import type { SshConnection } from "./sshChannels.js";

/** Connections to one machine. */
const MOST = 32;

/**
 * Opens channels on `first`, and on more connections when all of its are taken: programs that wait for each other must
 * not wait for a channel. They are made one at a time, because sshd refuses those who come in crowds. One that breaks
 * loses its own channels.
 * @param connect makes one more
 * @param onRefused is told, once, that the machine wants no more; channels are waited for then
 */
export function connectionPool(
  first: SshConnection,
  connect: () => Promise<SshConnection>,
  onRefused: (error: unknown) => void,
): MachineConnection {
  const all = new Set([first]);
  let closed = false;
  let next: Promise<void> | null = null;
  let refused = false;

  const alive = (): SshConnection[] => [...all].filter((connection) => connection.alive);
  const idlest = (): SshConnection =>
    alive().reduce((best, one) => (one.channels < best.channels ? one : best), alive()[0] ?? first);

  async function grow(): Promise<void> {
    try {
      const fresh = await connect();
      all.add(fresh);
      if (closed) await fresh.close();
    } catch (error) {
      if (!closed) onRefused(error);
      refused = true;
    }
  }

  async function open(command: string): Promise<Channel> {
    for (;;) {
      if (closed) throw new ConnectionLostError(`${first.label}: the connection was closed`);
      for (const connection of all) if (!connection.alive && all.size > 1) all.delete(connection);
      const best = idlest();
      // Taken at once: whoever else has waited for this connection looks for a free channel too.
      if (!best.alive || best.isFree || refused || all.size >= MOST) return best.open(command);
      next ??= grow().finally(() => {
        next = null;
      });
      await next;
    }
  }

  return {
    label: first.label,
    workDirectory: first.workDirectory,
    get alive() {
      return !closed && alive().length > 0;
    },
    open: (command, options) => (options?.urgent === true ? idlest().open(command, options) : open(command)),
    interact: (command, terminal) => idlest().interact(command, terminal),
    async close() {
      closed = true;
      await Promise.all([...all].map((connection) => connection.close()));
      // One that was being made closes itself.
      await next;
    },
  };
}
