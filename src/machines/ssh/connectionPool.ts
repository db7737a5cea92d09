/** Several SSH connections to one machine as one. sshd limits the number of sessions per connection (MaxSessions). */
import {
  ConnectionLostError,
  type Channel,
  type InteractiveChannel,
  type MachineConnection,
} from "../contract/connection.js";
import { isSessionRefusedError, type SshConnection } from "./sshChannels.js";

/** Maximum number of connections to one machine. A machine that allows one session on each may still run many programs. */
const MOST = 128;
/** How long a machine that wanted no more connections is not asked for another one, in milliseconds. */
const REFUSAL_MS = 10_000;

/**
 * Opens channels on `first`, and on additional connections when all its channels are in use or the machine refuses more
 * of them: programs that wait for each other must not wait for a channel. Connections are opened one at a time because
 * sshd refuses bursts (MaxStartups). A connection that breaks loses only its own channels.
 * @param connect opens one more connection
 * @param onRefused called once when the machine accepts no more connections; from then on, channels are queued. Another
 *   connection is tried now and then.
 * @param freed resolves when a channel of any connection has ended
 */
export function connectionPool(
  first: SshConnection,
  connect: () => Promise<SshConnection>,
  onRefused: (error: unknown) => void,
  freed: () => Promise<void> = () => new Promise(() => undefined),
): MachineConnection {
  const all = new Set([first]);
  let closed = false;
  let next: Promise<void> | null = null;
  let refusedAt = -Infinity;
  let told = false;

  const alive = (): SshConnection[] => [...all].filter((connection) => connection.alive);
  const idlest = (connections: readonly SshConnection[]): SshConnection | undefined =>
    connections.reduce<SshConnection | undefined>(
      (best, one) => (best === undefined || one.channels < best.channels ? one : best),
      undefined,
    );
  const mayGrow = (): boolean => all.size < MOST && performance.now() - refusedAt > REFUSAL_MS;

  async function grow(): Promise<void> {
    try {
      const fresh = await connect();
      all.add(fresh);
      if (closed) await fresh.close();
    } catch (error) {
      refusedAt = performance.now();
      if (closed || told) return;
      told = true;
      onRefused(error);
    }
  }

  /** A connection with room; where the machine wants no more of them, the one with the shortest queue; null: grow. */
  function pick(urgent: boolean): SshConnection | null {
    if (closed) throw new ConnectionLostError(`${first.label}: the connection was closed`);
    for (const connection of all) if (!connection.alive && all.size > 1) all.delete(connection);
    const there = alive();
    const free = idlest(there.filter((one) => (urgent ? one.isFreeForUrgent : one.isFree)));
    if (free !== undefined) return free;
    return there.length === 0 || !mayGrow() ? (idlest(there) ?? first) : null;
  }

  async function openWith<C>(urgent: boolean, open: (connection: SshConnection) => Promise<C>): Promise<C> {
    for (;;) {
      // Nothing is awaited between the two: other callers that awaited the same connection look for a free channel too.
      const connection = pick(urgent);
      if (connection !== null) {
        try {
          return await open(connection);
        } catch (error) {
          // The connection's limit is known now, so it is not picked again before one of its sessions has ended.
          if (!isSessionRefusedError(error) || error.others === 0) throw error;
          continue;
        }
      }
      next ??= grow().finally(() => {
        next = null;
      });
      await Promise.race([next, freed()]);
    }
  }

  return {
    label: first.label,
    workDirectory: first.workDirectory,
    shell: first.shell ?? { proven: false },
    get alive() {
      return !closed && alive().length > 0;
    },
    open: (command, options) =>
      openWith<Channel>(options?.urgent === true, (connection) => connection.open(command, options)),
    interact: (command, terminal) =>
      openWith<InteractiveChannel>(true, (connection) => connection.interact(command, terminal)),
    async close() {
      closed = true;
      await Promise.all([...all].map((connection) => connection.close()));
      // A connection that is still being opened closes itself.
      await next;
    },
  };
}
