/** Several SSH connections to one machine as one. sshd limits the number of sessions per connection (MaxSessions). */
import { ConnectionLostError, type Channel, type MachineConnection } from "../contract/connection.js";
import type { SshConnection } from "./sshChannels.js";

/** Maximum number of connections to one machine. */
const MOST = 32;

/**
 * Opens channels on `first`, and on additional connections when all its channels are in use: programs that wait for
 * each other must not wait for a channel. Connections are opened one at a time because sshd refuses bursts
 * (MaxStartups). A connection that breaks loses only its own channels.
 * @param connect opens one more connection
 * @param onRefused called once when the machine accepts no more connections; from then on, channels are queued
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
      // Take the channel without awaiting: other callers that awaited the same connection look for a free channel too.
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
      // A connection that is still being opened closes itself.
      await next;
    },
  };
}
