/**
 * Notifies listeners of changes to the database. SQLite has no notifications across processes, so one timer polls for
 * all listeners.
 */
import type { RecordListener, RecordWatch } from "../contract/store.js";
import type { Db } from "./database.js";

/** Poll interval, in milliseconds. */
const LOOK_MS = 200;

export class DatabaseWatch {
  private readonly listeners = new Set<RecordListener>();
  private timer: NodeJS.Timeout | null = null;
  private version = 0;

  constructor(private readonly db: Db) {}

  /** Starts to notify the listener of writes by other connections, to any run. */
  add(listener: RecordListener): RecordWatch {
    // A separate object, so that a listener that is added twice is notified twice.
    const own: RecordListener = { changed: () => listener.changed(), failed: (error) => listener.failed(error) };
    if (this.listeners.size === 0) this.version = this.read();
    this.listeners.add(own);
    this.timer ??= setInterval(() => {
      this.look();
    }, LOOK_MS).unref();
    return { close: () => this.remove(own) };
  }

  /** Notifies of this connection's own writes, which do not change the database's version for itself. */
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

  /** A number that changes when another connection has written. Reading it is almost free. */
  private read(): number {
    return this.db.pragma("data_version", { simple: true }) as number;
  }
}
