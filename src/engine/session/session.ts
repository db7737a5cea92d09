/** Data that outlives a command: connections to machines, drivers of clouds, and secrets to redact. */
import { remember } from "../../secrets/everyRedactor.js";
import { Redactor } from "../../secrets/redactor.js";
import { ConnectionRegistry } from "../clouds/connectionRegistry.js";
import { DriverRegistry } from "../clouds/driverRegistry.js";
import type { ConnectionUser } from "../clouds/machineLinks.js";

/** How long an unused connection is kept, in milliseconds. */
const IDLE_MS = 60_000;

export interface SessionOptions {
  /** How long an unused connection is kept, in milliseconds; 0: not at all. Default: one minute. */
  readonly idleMs?: number;
}

/**
 * Several contexts may share a session, of one run or of many, in sequence or in parallel. Its owner closes it after
 * the last context: open connections keep the process alive. The limit on handshakes (`limitHandshakes`) and
 * connections to jump hosts are shared by the whole process.
 */
export class Session {
  /** Connections by machine, kept while they are used and a while longer. */
  readonly connections: ConnectionRegistry<ConnectionUser>;
  /** Drivers by their module and options, kept while they are used. */
  readonly drivers = new DriverRegistry();
  private readonly redactors = new Map<string, Redactor>();

  constructor({ idleMs = IDLE_MS }: SessionOptions = {}) {
    this.connections = new ConnectionRegistry(idleMs);
  }

  /** The redactor of a run, the same for all contexts: a secret that one has seen stays redacted in later ones. */
  redactor({ uid }: { readonly uid: string }): Redactor {
    const known = this.redactors.get(uid);
    if (known !== undefined) return known;
    const redactor = new Redactor();
    remember(redactor);
    this.redactors.set(uid, redactor);
    return redactor;
  }

  /** Closes every connection. Contexts must be closed first: they release their drivers. */
  async close(): Promise<void> {
    await this.connections.close();
  }
}

/** Does `work` with a new session, and closes the session in any case. */
export async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = new Session();
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
