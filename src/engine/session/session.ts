/** What outlives a command: connections to machines, drivers of clouds, and what must never be shown. */
import { Redactor } from "../../secrets/redactor.js";
import { ConnectionRegistry } from "../clouds/connectionRegistry.js";
import { DriverRegistry } from "../clouds/driverRegistry.js";
import type { ConnectionUser } from "../clouds/machineLinks.js";

/** How long a connection that no context uses is kept, in milliseconds. */
const IDLE_MS = 60_000;

export interface SessionOptions {
  /** How long a connection that no context uses is kept, in milliseconds; 0: not at all. Default: a minute. */
  readonly idleMs?: number;
}

/**
 * Several contexts, of one run or of many, one after the other or side by side, may share a session. Whoever made it
 * closes it after the last of them: open connections keep the process alive. The limit on handshakes
 * (`limitHandshakes`) and connections to jump hosts are shared by the whole process.
 */
export class Session {
  /** Connections by machine, for as long as somebody uses them and a while longer. */
  readonly connections: ConnectionRegistry<ConnectionUser>;
  /** Drivers by what they are made from, for as long as somebody uses them. */
  readonly drivers = new DriverRegistry();
  private readonly redactors = new Map<string, Redactor>();

  constructor({ idleMs = IDLE_MS }: SessionOptions = {}) {
    this.connections = new ConnectionRegistry(idleMs);
  }

  /** The one redactor of a run: a secret that one context has seen stays a secret to all later ones. */
  redactor({ uid }: { readonly uid: string }): Redactor {
    const known = this.redactors.get(uid) ?? new Redactor();
    this.redactors.set(uid, known);
    return known;
  }

  /** Closes every connection. Contexts are closed before: they give their drivers back. */
  async close(): Promise<void> {
    await this.connections.close();
  }
}

/** Works with a session of its own, and closes it whatever comes. */
export async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = new Session();
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
