/** One user's share of a connection: its channels end with it, the connection itself does not. */
import {
  ConnectionError,
  ConnectionLostError,
  type Channel,
  type MachineConnection,
} from "../../machines/contract/connection.js";
import type { ClosableLink } from "../../machines/contract/link.js";

export interface LinkParts {
  /** The shared connection, created if needed. */
  readonly reach: () => Promise<MachineConnection>;
  /** Ends an attempt to connect that this user started. */
  readonly abandon: () => void;
  /** The user no longer needs the connection. */
  readonly leave: () => Promise<void>;
}

export class RegisteredLink implements ClosableLink {
  private readonly work = new Set<Promise<void>>();
  private readonly channels = new Set<Channel>();
  private share: { readonly of: MachineConnection; readonly connection: MachineConnection } | null = null;
  private abandoned = false;
  private closed = false;

  constructor(private readonly parts: LinkParts) {}

  get isClosed(): boolean {
    return this.closed;
  }

  get isAbandoned(): boolean {
    return this.abandoned || this.closed;
  }

  async connection(): Promise<MachineConnection> {
    this.check();
    const shared = await this.parts.reach();
    this.check();
    if (this.share?.of !== shared) this.share = { of: shared, connection: this.shareOf(shared) };
    return this.share.connection;
  }

  finishLater(task: Promise<void>): void {
    this.work.add(task);
    void task.finally(() => this.work.delete(task));
  }

  async idle(): Promise<void> {
    await Promise.all(this.work);
  }

  /** Ends current and later attempts to connect. An existing connection can be used until `close`. */
  abandon(): void {
    this.abandoned = true;
    this.parts.abandon();
  }

  /** Waits for work handed over to the link, then closes the channels opened through it. */
  async close(): Promise<void> {
    await this.idle();
    this.closed = true;
    this.parts.abandon();
    for (const channel of this.channels) channel.close();
    await this.parts.leave();
  }

  private check(): void {
    if (this.closed) throw new ConnectionError("the link to the machine was closed");
  }

  private shareOf(shared: MachineConnection): MachineConnection {
    const own = <C extends Channel>(channel: C): C => {
      this.channels.add(channel);
      void channel.ended.then(() => this.channels.delete(channel));
      // The user left while waiting.
      if (this.closed) channel.close();
      return channel;
    };
    const open = <C extends Channel>(opened: () => Promise<C>): Promise<C> => {
      if (this.closed) throw new ConnectionLostError(`${shared.label}: the connection was closed`);
      return opened().then(own);
    };
    return connectionShare(shared, { open, isClosed: () => this.closed, close: () => this.close() });
  }
}

interface ShareParts {
  /** Opens a channel that ends with the share. */
  readonly open: <C extends Channel>(opened: () => Promise<C>) => Promise<C>;
  readonly isClosed: () => boolean;
  readonly close: () => Promise<void>;
}

/** The shared connection, as one of its users sees it. */
function connectionShare(shared: MachineConnection, { open, isClosed, close }: ShareParts): MachineConnection {
  const interact = shared.interact?.bind(shared);
  const attach = shared.attach?.bind(shared);
  return {
    label: shared.label,
    workDirectory: shared.workDirectory,
    ...(shared.shell === undefined ? {} : { shell: shared.shell }),
    get alive() {
      return !isClosed() && shared.alive;
    },
    open: async (command, options) => open(() => shared.open(command, options)),
    ...(interact === undefined
      ? {}
      : { interact: async (command, terminal) => open(() => interact(command, terminal)) }),
    ...(attach === undefined
      ? {}
      : {
          attach: async (command, terminalType) => {
            if (isClosed()) throw new ConnectionLostError(`${shared.label}: the connection was closed`);
            return attach(command, terminalType);
          },
        }),
    close,
  };
}
