/**
 * Connections to machines that outlive the command that made them. Everybody in the process who works on a machine
 * shares one; it is closed when nobody has used it for a while, when its machine goes, or with the registry.
 */
import { setMaxListeners } from "node:events";

import {
  ConnectionError,
  isConnectionError,
  isHostKeyError,
  type MachineConnection,
} from "../../machines/contract/connection.js";
import { RegisteredLink } from "./registeredLink.js";

/** Which connection: two users share one if both parts are equal. */
export interface ConnectionKey {
  /** The machine. `discard` closes every connection to it. */
  readonly machine: string;
  /** How it is reached: whoever would log in differently gets a connection of their own. */
  readonly settings: string;
}

/**
 * Makes a connection.
 * @param signal aborted when nobody wants the connection any more.
 * @param user whose rights count: the user who asked first, and another one after that one has left.
 */
export type Connect<User> = (signal: AbortSignal, user: () => User) => Promise<MachineConnection>;

export class ConnectionRegistry<User> {
  private readonly connections = new Map<string, SharedConnection<User>>();

  /** @param idleMs how long a connection without users is kept, in milliseconds; 0: not at all. */
  constructor(private readonly idleMs: number) {}

  /** How many machines (and ways to reach them) are known now, connected or not. */
  get size(): number {
    return this.connections.size;
  }

  /** A user's link to a machine. It connects when somebody asks it for a connection, unless another user has. */
  take(key: ConnectionKey, user: User, connect: Connect<User>): RegisteredLink {
    const id = JSON.stringify([key.machine, key.settings]);
    const known = this.connections.get(id) ?? new SharedConnection<User>(key.machine);
    this.connections.set(id, known);
    return known.join(user, connect, async () => {
      if (!known.unused) return;
      if (this.idleMs === 0) await this.end(id, known);
      else known.endAfter(this.idleMs, () => this.end(id, known));
    });
  }

  /**
   * Closes every connection to a machine, whoever uses it: the machine is about to go. Work that was handed over to its
   * links is waited for.
   */
  async discard(machine: string): Promise<void> {
    const found = [...this.connections].filter(([, known]) => known.machine === machine);
    await Promise.all(found.map(([id, known]) => this.end(id, known)));
  }

  /** Closes every connection; work that was handed over to links is waited for, attempts to connect are not. */
  async close(): Promise<void> {
    for (const known of this.connections.values()) known.abandon();
    await Promise.all([...this.connections].map(([id, known]) => this.end(id, known)));
  }

  private async end(id: string, known: SharedConnection<User>): Promise<void> {
    if (this.connections.get(id) === known) this.connections.delete(id);
    await known.end();
  }
}

/** An attempt to connect: it belongs to the user who began it, and ends with that one. */
interface Attempt {
  readonly by: RegisteredLink;
  readonly life: AbortController;
  readonly connection: Promise<MachineConnection>;
}

/** One machine, reached in one way, and everybody who uses the connection. */
class SharedConnection<User> {
  private readonly users = new Map<RegisteredLink, User>();
  private current: MachineConnection | null = null;
  /** Broken connections that are being closed: their channels, and attempts to enlarge them, end with that. */
  private readonly replaced = new Set<Promise<void>>();
  /** Of `current`: aborted when it ends, so that no attempt to enlarge it outlives it. */
  private life = new AbortController();
  private attempt: Attempt | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(readonly machine: string) {}

  get unused(): boolean {
    return this.users.size === 0;
  }

  /** @param left called when the user has left, and awaited by whoever closes the link. */
  join(user: User, connect: Connect<User>, left: () => Promise<void>): RegisteredLink {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const link: RegisteredLink = new RegisteredLink({
      reach: () => this.reach(link, user, connect),
      abandon: () => {
        if (this.attempt?.by === link) this.attempt.life.abort();
      },
      leave: async () => {
        if (this.users.delete(link)) await left();
      },
    });
    this.users.set(link, user);
    return link;
  }

  /** Ends the connection after `ms`, unless somebody joins before that. */
  endAfter(ms: number, end: () => Promise<void>): void {
    if (this.timer !== null) clearTimeout(this.timer);
    // A connection that says goodbye badly is closed all the same.
    this.timer = setTimeout(() => void end().catch(() => undefined), ms).unref();
  }

  abandon(): void {
    for (const link of this.users.keys()) link.abandon();
  }

  /** Closes the connection for good, and the links of all who use it, once the work handed over to them is done. */
  async end(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const links = [...this.users.keys()];
    await Promise.all(links.map((link) => link.idle()));
    this.users.clear();
    this.attempt?.life.abort();
    this.life.abort();
    await Promise.all([...links.map((link) => link.close()), this.current?.close(), ...this.replaced]);
  }

  /** Closes what is left of a connection that broke. */
  private replace(broken: MachineConnection): void {
    this.life.abort();
    // It is broken already: a goodbye that fails changes nothing.
    const closed = broken.close().catch(() => undefined);
    this.replaced.add(closed);
    void closed.finally(() => this.replaced.delete(closed));
  }

  private async reach(link: RegisteredLink, user: User, connect: Connect<User>): Promise<MachineConnection> {
    for (;;) {
      if (this.current?.alive === true) return this.current;
      const { attempt } = this;
      if (attempt === null) return this.begin(link, user, connect);
      if (attempt.by === link) return attempt.connection;
      try {
        return await attempt.connection;
      } catch (error) {
        // The machine is the same for everybody. What the other user may do, and how long they stay, is not.
        if (isConnectionError(error) && !isHostKeyError(error) && !attempt.by.isAbandoned) throw error;
      }
    }
  }

  private begin(link: RegisteredLink, user: User, connect: Connect<User>): Promise<MachineConnection> {
    const life = new AbortController();
    setMaxListeners(0, life.signal);
    if (link.isAbandoned) life.abort();
    const heir = (): User => (this.users.has(link) ? user : ([...this.users.values()].at(-1) ?? user));
    const made = async (): Promise<MachineConnection> => {
      try {
        const fresh = await connect(life.signal, heir);
        if (life.signal.aborted) {
          await fresh.close();
          throw new ConnectionError("the link to the machine was closed");
        }
        if (this.current !== null) this.replace(this.current);
        [this.current, this.life] = [fresh, life];
        return fresh;
      } finally {
        this.attempt = null;
      }
    };
    const connection = made();
    this.attempt = { by: link, life, connection };
    return connection;
  }
}
