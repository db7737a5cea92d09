/** Tells listeners of changes to the database: SQLite has nothing that calls, so one timer asks for all of them. */
import type { RecordListener, RecordWatch } from "../contract/store.js";
import type { Db } from "./database.js";

/** Milliseconds between two looks at whether anybody else has written. */
const LOOK_MS = 200;

export class DatabaseWatch {
  private readonly listeners = new Set<RecordListener>();
  private timer: NodeJS.Timeout | null = null;
  private version = 0;

  constructor(private readonly db: Db) {}

  /** From now on the listener is told of what other connections write, to whichever run. */
  add(listener: RecordListener): RecordWatch {
    // Its own object: who listens twice is told twice.
    const own: RecordListener = { changed: () => listener.changed(), failed: (error) => listener.failed(error) };
    if (this.listeners.size === 0) this.version = this.read();
    this.listeners.add(own);
    this.timer ??= setInterval(() => {
      this.look();
    }, LOOK_MS).unref();
    return { close: () => this.remove(own) };
  }

  /** Tells what this connection itself has written: the database's version does not. */
  tell(): void {
    for (const listener of [...this.listeners]) listener.changed();
  }

  close(): void {
    for (const listener of [...this.listeners]) this.remove(listener);
  }

  private look(): void {
    try {
      const version = this.read();
      if (version === this.version) return;
      this.version = version;
    } catch (error) {
      const listeners = [...this.listeners];
      this.close();
      for (const listener of listeners) listener.failed(error as Error);
      return;
    }
    this.tell();
  }

  private remove(listener: RecordListener): void {
    this.listeners.delete(listener);
    if (this.listeners.size > 0 || this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
  }

  /** A number that changes when another connection has written; what it costs to ask is next to nothing. */
  private read(): number {
    return this.db.pragma("data_version", { simple: true }) as number;
  }
}
