/** Opens the record. This is the only code that selects an implementation. */
import type { Store, StoreOptions } from "./contract/store.js";

/**
 * Opens the record in `directory` (default `$BOOTLEVEL_HOME`, else `~/.bootlevel`). The caller closes it.
 * @throws StateError if it cannot be used. Nothing is overwritten then.
 */
export async function openStore(directory?: string, options: StoreOptions = {}): Promise<Store> {
  // Loaded lazily, so that commands without a record do not pay for loading the database.
  const { openSqliteStore } = await import("./sqlite/sqliteStore.js");
  return openSqliteStore(directory, options);
}
